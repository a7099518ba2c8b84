// Sums and averages over whole parameter-sized buffers on a CPU.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace ravine::cpu {

std::unique_ptr<PreparedAccumulation> prepare_accumulation(DType dtype, void* gradients, void* sum,
                                                           const std::vector<BufferRange>& ranges);
std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                 std::int64_t count);

}  // namespace ravine::cpu
