// Programs on a device.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/operation.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

// Whether there is a kernel, or a library's function, for the operation.
bool computes(const Operation& operation);
// Of the device, for what a program reads from the host.
double bytes_beside(const Program& program);

// A program whose kernels others put onto the stream too, without a stop.
class StreamProgram : public PreparedProgram {
 public:
  // Gives a tensor memory of the program's own on the device, which others fill, and says where it is.
  virtual void* bind_own(TensorId tensor) = 0;
  virtual std::size_t bytes(TensorId tensor) const = 0;
  // Puts the operations of these sections onto the stream, for what the stream's context says.
  virtual void launch(Section first, Section last, const RunContext& context) noexcept = 0;
  // Where all tensors are bound.
  virtual const PointerTable& pointers() const = 0;
  // Where what it measures lies on the device, and the numbers that were there.
  virtual const MeasuredPlaces& places() const = 0;
  virtual void collect(const double* fetched, Measurements& measurements) const = 0;
};

std::unique_ptr<PreparedProgram> prepare_program(const Program& program, int layers, int parameters,
                                                 const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda
