// Copies between tensors of which one may be stored in bfloat16.
#pragma once

#include "backend/cuda/cells.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

void copy_cells(Stream& stream, const Cells<float>& from, const Cells<float>& to,
                std::int64_t count) noexcept;

}  // namespace ravine::cuda
