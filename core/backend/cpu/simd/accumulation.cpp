// Sums and averages over whole buffers: the gradients of a batch's parts, the weights of many steps.
#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

template <typename T>
void accumulate(const T* value, T weight, bool first, T* __restrict sum, std::int64_t count) {
  if (first) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) sum[i] = weight * value[i];
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) sum[i] += weight * value[i];
  }
}

template <typename T>
double finish_sum(const T* sum, T weight, T scale, T* __restrict value, std::int64_t count) {
  T squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < count; ++i) {
    const T mean = scale * (sum[i] + weight * value[i]);
    value[i] = mean;
    squares += mean * mean;
  }
  return static_cast<double>(squares);
}

template <typename T>
void moving_average(const T* value, T rate, T* __restrict average, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) average[i] += rate * (value[i] - average[i]);
}

}  // namespace

template <typename T>
void fill_accumulation(Kernels<T>& table) {
  table.accumulate = accumulate<T>;
  table.finish_sum = finish_sum<T>;
  table.moving_average = moving_average<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_accumulation)
