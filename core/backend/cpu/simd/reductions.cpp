// Sums: of two tensors, and over blocks: moments, squares, columns.
#include <algorithm>

#include "backend/cpu/simd/moment_sums.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// Calls visit(piece) for a few rows at a time; a block without gaps between its rows is one long row, of
// which parts are rows.
template <typename T, typename Visit>
void for_pieces(Block<const T> block, const Visit& visit) {
  if (block.stride == block.columns) {
    const std::int64_t values = block.rows * block.columns;
    for (std::int64_t begin = 0; begin < values; begin += values_of_sum<T>) {
      const std::int64_t count = std::min(values_of_sum<T>, values - begin);
      visit(Block<const T>{block.data + begin, 1, count, count});
    }
    return;
  }
  const std::int64_t rows =
      std::max<std::int64_t>(1, values_of_sum<T> / std::max<std::int64_t>(1, block.columns));
  for (std::int64_t row = 0; row < block.rows; row += rows) {
    visit(Block<const T>{block.data + row * block.stride, std::min(rows, block.rows - row), block.columns,
                         block.stride});
  }
}

// Calls all(vector, place) for whole vectors, of which two are under way at a time, in places 0 and 1;
// part(vector, count) for what fills none.
template <typename T, typename All, typename Part>
void for_vectors(Block<const T> block, const All& all, const Part& part) {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* values = block.data + row * block.stride;
    std::int64_t i = 0;
    for (; i + 2 * lanes<T> <= block.columns; i += 2 * lanes<T>) {
      all(load(values + i), 0);
      all(load(values + i + lanes<T>), 1);
    }
    if (i + lanes<T> <= block.columns) {
      all(load(values + i), 0);
      i += lanes<T>;
    }
    const int rest = static_cast<int>(block.columns - i);
    if (rest > 0) part(load_part(values + i, rest), rest);
  }
}

// The first value of all is the shift.
template <typename T>
void moments(Block<const T> block, PartialMoments& all) {
  if (block.rows * block.columns == 0) return;
  if (all.count == 0) all.shift = static_cast<double>(block.data[0]);
  all.count += static_cast<double>(block.rows * block.columns);
  for_pieces(block, [&](Block<const T> piece) {
    MomentSums<T> even(static_cast<T>(all.shift));
    MomentSums<T> odd = even;
    for_vectors(
        piece, [&](Vector<T> value, int place) { (place == 0 ? even : odd).add(value); },
        [&](Vector<T> value, int count) { even.add_part(value, count); });
    even.flush(all);
    odd.flush(all);
  });
}

template <typename T>
double squares(Block<const T> block) {
  double total = 0;
  for_pieces(block, [&](Block<const T> piece) {
    Vector<T> sums[2] = {};
    for_vectors(
        piece, [&](Vector<T> value, int place) { sums[place] += value * value; },
        [&](Vector<T> value, int) { sums[0] += value * value; });
    total += static_cast<double>(sum_of<T>(sums[0] + sums[1]));
  });
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
