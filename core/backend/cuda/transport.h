// Work on whole buffers for ranks, on a device.
#pragma once

#include <cstdint>

#include "backend/cuda/stream.h"
#include "base/dtype.h"

namespace ravine::cuda {

void scale(DType dtype, void* values, std::int64_t count, double factor, Stream& stream) noexcept;
void clear(void* values, std::size_t bytes, Stream& stream) noexcept;
// float32 numbers to bfloat16 and back, for sums that travel so.
void round_for_transport(Stream& stream, const float* values, std::uint16_t* to, std::int64_t count) noexcept;
void widen_transported(Stream& stream, const std::uint16_t* values, float* to, std::int64_t count) noexcept;

}  // namespace ravine::cuda
