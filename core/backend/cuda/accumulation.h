// Sums and averages over whole parameter-sized buffers on a device.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

std::unique_ptr<PreparedAccumulation> prepare_accumulation(DType dtype, void* gradients, void* sum,
                                                           const std::vector<BufferRange>& ranges,
                                                           const std::shared_ptr<Stream>& stream);
// sum += values.
void add(DType dtype, const void* values, void* sum, std::int64_t count, Stream& stream) noexcept;
std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                 std::int64_t count, const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda
