// Sums and averages over whole parameter-sized buffers on a device.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/step_control.h"
#include "backend/cuda/stream.h"
#include "backend/cuda/tiles.h"

namespace ravine::cuda {

// An accumulation that others put onto the stream too, with weights that the device knows.
class StreamAccumulation : public PreparedAccumulation {
 public:
  virtual void launch_add(const StepNumber& weight, bool first) noexcept = 0;
  // With the last part; the whole is divided by the weight of all.
  virtual void launch_finish(const StepNumber& weight, const StepNumber& all) noexcept = 0;
  virtual void launch_measure() noexcept = 0;
  // Of the squares of the gradient, which these two leave to be summed.
  virtual TileSums sums() const = 0;
};

class StreamAverage : public PreparedAverage {
 public:
  // At the rate that the numbers of the step have.
  virtual void launch(const StepPlace& place) noexcept = 0;
  virtual const void* place() const = 0;
};

std::unique_ptr<PreparedAccumulation> prepare_accumulation(DType dtype, void* gradients, void* sum,
                                                           const std::vector<BufferRange>& ranges,
                                                           const std::shared_ptr<Stream>& stream);
// sum += values.
void add(DType dtype, const void* values, void* sum, std::int64_t count, Stream& stream) noexcept;
std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                 std::int64_t count, const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda
