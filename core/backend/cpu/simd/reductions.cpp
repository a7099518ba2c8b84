// Sums: of two tensors, and over blocks: moments, squares, columns.
#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// A block without gaps between its rows is one long row.
template <typename T>
Block<T> flattened(Block<T> block) {
  if (block.stride == block.columns) return {block.data, 1, block.rows * block.columns, 0};
  return block;
}

template <typename T>
PartialMoments moments(Block<const T> given) {
  const Block<const T> block = flattened(given);
  if (block.rows * block.columns == 0) return {};
  const T shift = block.data[0];
  PartialMoments result{static_cast<double>(block.rows * block.columns), static_cast<double>(shift), 0, 0, 0};
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* values = block.data + row * block.stride;
    T sum = 0;
    T squares = 0;
    T zeros = 0;
#pragma omp simd reduction(+ : sum, squares, zeros)
    for (std::int64_t i = 0; i < block.columns; ++i) {
      const T value = values[i] - shift;
      sum += value;
      squares += value * value;
      zeros += values[i] == T(0) ? T(1) : T(0);
    }
    result.sum += static_cast<double>(sum);
    result.squares += static_cast<double>(squares);
    result.zeros += static_cast<double>(zeros);
  }
  return result;
}

template <typename T>
double squares(Block<const T> given) {
  const Block<const T> block = flattened(given);
  double total = 0;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* values = block.data + row * block.stride;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < block.columns; ++i) sum += values[i] * values[i];
    total += static_cast<double>(sum);
  }
  return total;
}

template <typename T>
double column_sum(Block<const T> input, T* __restrict output) {
  for (std::int64_t i = 0; i < input.columns; ++i) output[i] = T(0);
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* values = input.data + row * input.stride;
#pragma omp simd
    for (std::int64_t i = 0; i < input.columns; ++i) output[i] += values[i];
  }
  return squares<T>({output, 1, input.columns, input.columns});
}

template <typename T>
void add(const T* left, const T* right, T* __restrict output, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) output[i] = left[i] + right[i];
}

}  // namespace

template <typename T>
void fill_reductions(Kernels<T>& table) {
  table.add = add<T>;
  table.moments = moments<T>;
  table.squares = squares<T>;
  table.column_sum = column_sum<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_reductions)
