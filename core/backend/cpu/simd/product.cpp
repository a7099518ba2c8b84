// Products whose right factor lies row by row: a few rows of the output times a few vectors of its columns
// are summed in registers over the whole of k. No packing; each element's sum runs over k in order, so that
// no cut of the output changes a bit.
#include <algorithm>
#include <array>
#include <utility>

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// Rows that leave registers for `packs` vectors of the right factor and one element of the left.
constexpr int most_rows(int packs) {
  constexpr int registers = vector_bytes == 64 ? 32 : 16;
  constexpr int most = vector_bytes == 64 ? 12 : 6;
  const int fit = (registers - 1 - packs) / packs;
  return fit < most ? fit : most;
}
constexpr int most_packs = vector_bytes == 64 ? 4 : 2;

// `part`: the last vector of columns has only `last` of them.
template <typename T, int rows, int packs, bool part>
void tile(const StridedBlock<T>& left, std::int64_t k, const T* right, std::int64_t right_stride, T* output,
          std::int64_t output_stride, int last) {
  Vector<T> sums[rows][packs] = {};
  const T* column = left.data;
  for (std::int64_t step = 0; step < k; ++step) {
    Vector<T> factors[packs];
#pragma GCC unroll 4
    for (int j = 0; j < packs; ++j) {
      const T* from = right + j * lanes<T>;
      factors[j] = part && j == packs - 1 ? load_part(from, last) : load(from);
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const T element = column[i * left.row_stride];
#pragma GCC unroll 4
      for (int j = 0; j < packs; ++j) sums[i][j] += element * factors[j];
    }
    column += left.column_stride;
    right += right_stride;
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < packs; ++j) {
      T* to = output + i * output_stride + j * lanes<T>;
      if (part && j == packs - 1) {
        store_part(to, sums[i][j], last);
      } else {
        store(to, sums[i][j]);
      }
    }
  }
}

// All rows of some columns, in tiles of almost equal height.
template <typename T, int packs, bool part>
void strip(StridedBlock<T> left, std::int64_t m, std::int64_t k, const T* right, std::int64_t right_stride,
           T* output, std::int64_t output_stride, int last) {
  constexpr int most = most_rows(packs);
  static constexpr auto tiles = []<int... index>(std::integer_sequence<int, index...>) {
    return std::array{tile<T, index + 1, packs, part>...};
  }(std::make_integer_sequence<int, most>{});
  for (std::int64_t count = (m + most - 1) / most; count > 0; --count) {
    const std::int64_t rows = m / count;
    tiles[static_cast<std::size_t>(rows - 1)](left, k, right, right_stride, output, output_stride, last);
    left.data += rows * left.row_stride;
    output += rows * output_stride;
    m -= rows;
  }
}

template <typename T, int packs>
void strip(const StridedBlock<T>& left, std::int64_t m, std::int64_t k, const T* right,
           std::int64_t right_stride, T* output, std::int64_t output_stride, int last) {
  const auto run = last == lanes<T> ? strip<T, packs, false> : strip<T, packs, true>;
  run(left, m, k, right, right_stride, output, output_stride, last);
}

template <typename T>
void product(const StridedBlock<T>& left, std::int64_t m, std::int64_t n, std::int64_t k, const T* right,
             std::int64_t right_stride, T* output, std::int64_t output_stride) {
  static constexpr auto strips = []<int... index>(std::integer_sequence<int, index...>) {
    return std::array{static_cast<void (*)(const StridedBlock<T>&, std::int64_t, std::int64_t, const T*,
                                           std::int64_t, T*, std::int64_t, int)>(strip<T, index + 1>)...};
  }(std::make_integer_sequence<int, most_packs>{});
  while (n > 0) {
    const std::int64_t packs = std::min<std::int64_t>(most_packs, (n + lanes<T> - 1) / lanes<T>);
    const std::int64_t columns = std::min(n, packs * lanes<T>);
    const int last = static_cast<int>(columns - (packs - 1) * lanes<T>);
    strips[static_cast<std::size_t>(packs - 1)](left, m, k, right, right_stride, output, output_stride, last);
    right += columns;
    output += columns;
    n -= columns;
  }
}

// Four by four in registers, the rest one by one.
template <typename T>
void transpose(Block<const T> input, T* output, std::int64_t output_stride) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T)), aligned(alignof(T)), may_alias));
  const std::int64_t rows = input.rows / 4 * 4;
  const std::int64_t columns = input.columns / 4 * 4;
  for (std::int64_t column = 0; column < columns; column += 4) {
    for (std::int64_t row = 0; row < rows; row += 4) {
      const T* from = input.data + row * input.stride + column;
      const Four a = *reinterpret_cast<const Four*>(from);
      const Four b = *reinterpret_cast<const Four*>(from + input.stride);
      const Four c = *reinterpret_cast<const Four*>(from + 2 * input.stride);
      const Four d = *reinterpret_cast<const Four*>(from + 3 * input.stride);
      const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      T* to = output + column * output_stride + row;
      *reinterpret_cast<Four*>(to) = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
      *reinterpret_cast<Four*>(to + output_stride) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
      *reinterpret_cast<Four*>(to + 2 * output_stride) =
          __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
      *reinterpret_cast<Four*>(to + 3 * output_stride) =
          __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
    }
  }
  for (std::int64_t row = 0; row < input.rows; ++row) {
    for (std::int64_t column = row < rows ? columns : 0; column < input.columns; ++column) {
      output[column * output_stride + row] = input.data[row * input.stride + column];
    }
  }
}

}  // namespace

template <typename T>
void fill_products(Kernels<T>& table) {
  table.product = product<T>;
  table.transpose = transpose<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_products)
