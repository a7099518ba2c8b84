// Products whose right factor lies row by row: a few rows of the output times a few vectors of its columns
// are summed in registers over the whole of k. No packing; each element's sum runs over k in order, so that
// no cut of the output changes a bit.
#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// How an element of the left factor times a vector of the right one is added to a sum.
template <typename T>
struct Plain {
  using Element = T;
  using Sum = T;
  static void multiply_add(Vector<T>& sum, const T& element, Vector<T> factors) { sum += element * factors; }
};

#if defined(__AVX512F__)
// In assembly: the level may not use the instruction elsewhere, since not all of its processors have it.
struct InPairs {
  using Element = Bfloat16Pair;
  using Sum = float;
  static void multiply_add(Vector<float>& sum, const Element& element, Vector<Element> factors) {
    asm("vdpbf16ps %1%{1to16%}, %2, %0" : "+v"(sum) : "m"(element), "v"(factors));
  }
};
#endif

// Rows that leave registers for `packs` vectors of the right factor and one element of the left.
constexpr int most_rows(int packs) {
  constexpr int registers = vector_bytes == 64 ? 32 : 16;
  constexpr int most = vector_bytes == 64 ? 12 : 6;
  const int fit = (registers - 1 - packs) / packs;
  return fit < most ? fit : most;
}
constexpr int most_packs = vector_bytes == 64 ? 4 : 2;

template <typename Arithmetic>
struct Operands {
  using Element = typename Arithmetic::Element;
  using Sum = typename Arithmetic::Sum;

  StridedBlock<Element> left;
  std::int64_t k;
  const Element* right;
  std::int64_t right_stride;
  Sum* output;
  std::int64_t output_stride;
  bool adds;  // to what the output holds
};

// `part`: the last vector of columns has only `last` of them.
template <typename Arithmetic, int rows, int packs, bool part>
void tile(const Operands<Arithmetic>& o, int last) {
  using Element = typename Arithmetic::Element;
  using Sum = typename Arithmetic::Sum;
  static_assert(sizeof(Element) == sizeof(Sum));
  Vector<Sum> sums[rows][packs] = {};
  const Element* column = o.left.data;
  const Element* right = o.right;
  for (std::int64_t step = 0; step < o.k; ++step) {
    Vector<Element> factors[packs];
#pragma GCC unroll 4
    for (int j = 0; j < packs; ++j) {
      const Element* from = right + j * lanes<Element>;
      factors[j] = part && j == packs - 1 ? load_part(from, last) : load(from);
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) {
      const Element& element = column[i * o.left.row_stride];
#pragma GCC unroll 4
      for (int j = 0; j < packs; ++j) Arithmetic::multiply_add(sums[i][j], element, factors[j]);
    }
    column += o.left.column_stride;
    right += o.right_stride;
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < packs; ++j) {
      Sum* to = o.output + i * o.output_stride + j * lanes<Sum>;
      if (part && j == packs - 1) {
        store_part(to, o.adds ? sums[i][j] + load_part(to, last) : sums[i][j], last);
      } else {
        store(to, o.adds ? sums[i][j] + load(to) : sums[i][j]);
      }
    }
  }
}

// All rows of some columns, in tiles of almost equal height.
template <typename Arithmetic, int packs, bool part>
void strip(Operands<Arithmetic> o, std::int64_t m, int last) {
  constexpr int most = most_rows(packs);
  static constexpr auto tiles = []<int... index>(std::integer_sequence<int, index...>) {
    return std::array{tile<Arithmetic, index + 1, packs, part>...};
  }(std::make_integer_sequence<int, most>{});
  for (std::int64_t count = (m + most - 1) / most; count > 0; --count) {
    const std::int64_t rows = m / count;
    tiles[static_cast<std::size_t>(rows - 1)](o, last);
    o.left.data += rows * o.left.row_stride;
    o.output += rows * o.output_stride;
    m -= rows;
  }
}

template <typename Arithmetic, int packs>
void strip(const Operands<Arithmetic>& o, std::int64_t m, int last) {
  const bool whole = last == lanes<typename Arithmetic::Element>;
  (whole ? strip<Arithmetic, packs, false> : strip<Arithmetic, packs, true>)(o, m, last);
}

template <typename Arithmetic>
void multiply(Operands<Arithmetic> o, std::int64_t m, std::int64_t n) {
  constexpr int width = lanes<typename Arithmetic::Element>;
  using Strip = void (*)(const Operands<Arithmetic>&, std::int64_t, int);
  static constexpr auto strips = []<int... index>(std::integer_sequence<int, index...>) {
    return std::array{static_cast<Strip>(strip<Arithmetic, index + 1>)...};
  }(std::make_integer_sequence<int, most_packs>{});
  while (n > 0) {
    const std::int64_t packs = std::min<std::int64_t>(most_packs, (n + width - 1) / width);
    const std::int64_t columns = std::min(n, packs * width);
    const int last = static_cast<int>(columns - (packs - 1) * width);
    strips[static_cast<std::size_t>(packs - 1)](o, m, last);
    o.right += columns;
    o.output += columns;
    n -= columns;
  }
}

template <typename T, bool adds>
void product(const StridedBlock<T>& left, std::int64_t m, std::int64_t n, std::int64_t k, const T* right,
             std::int64_t right_stride, T* output, std::int64_t output_stride) {
  multiply<Plain<T>>({left, k, right, right_stride, output, output_stride, adds}, m, n);
}

#if defined(__AVX512F__)
void product_of_pairs(const StridedBlock<Bfloat16Pair>& left, std::int64_t m, std::int64_t n, std::int64_t k,
                      const Bfloat16Pair* right, std::int64_t right_stride, float* output,
                      std::int64_t output_stride, bool adds) {
  multiply<InPairs>({left, k, right, right_stride, output, output_stride, adds}, m, n);
}
#endif

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
  table.product = product<T, false>;
  table.add_product = product<T, true>;
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) table.bfloat16.product = product_of_pairs;
#endif
  table.transpose = transpose<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_products)
