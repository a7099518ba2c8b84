// Histograms of what lies in the memory of a CPU.
#pragma once

#include "backend/cpu/simd/kernels.h"
#include "backend/histogram.h"

namespace ravine::cpu {

// Adds a block's values; several workers may add to one histogram at once.
template <typename T>
void add_to_histogram(Block<const T> block, Histogram& histogram) noexcept;

}  // namespace ravine::cpu
