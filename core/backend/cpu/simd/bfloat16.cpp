// Numbers rounded to bfloat16, or stored in it, and brought into pairs, as products take them: neighbours of
// a row or of a column, those of a row also transposed.
#include <algorithm>
#include <type_traits>

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {

#if defined(__AVX512F__)
namespace {

using Floats = Vector<float>;
using Pairs = Vector<Bfloat16Pair>;
constexpr int width = lanes<float>;

// The 16 numbers of `first`, then those of `second`, rounded to the nearest, ties to even. In assembly: the
// level may not use the instruction elsewhere, since not all of its processors have it.
Pairs rounded(Floats first, Floats second) {
  Pairs result;
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(result) : "v"(first), "v"(second));
  return result;
}

Floats load_most(const float* from, std::int64_t count) {
  return count >= width ? load(from) : count > 0 ? load_part(from, static_cast<int>(count)) : Floats{};
}

void store_most(Bfloat16Pair* to, Pairs pairs, std::int64_t count) {
  if (count >= width) {
    store(to, pairs);
  } else if (count > 0) {
    store_part(to, pairs, static_cast<int>(count));
  }
}

__mmask32 first_lanes(std::int64_t count) {
  return count >= 2 * width ? ~__mmask32{0} : static_cast<__mmask32>((1u << count) - 1);
}

// 16 pairs of a row of which `count` numbers are left.
Pairs pairs_of_row(const float* from, std::int64_t count) {
  return rounded(load_most(from, count), load_most(from + width, count - width));
}
Pairs pairs_of_row(const Bfloat16* from, std::int64_t count) {
  return reinterpret_cast<Pairs>(_mm512_maskz_loadu_epi16(first_lanes(count), from));
}

template <typename T>
void pair_columns(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride) {
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const T* from = input.data + row * input.stride;
    Bfloat16Pair* to = output + row * output_stride;
    for (std::int64_t column = 0; column < input.columns; column += 2 * width) {
      const std::int64_t left = input.columns - column;
      store_most(to + column / 2, pairs_of_row(from + column, left), (left + 1) / 2);
    }
  }
}

// The first 16 of `count` numbers in turn with as many of another row, which may be null: then with zeros.
Pairs alternate(const float* first, const float* second, std::int64_t count) {
  typedef std::uint16_t Halves __attribute__((vector_size(vector_bytes), may_alias));
  const auto halves = reinterpret_cast<Halves>(
      rounded(load_most(first, count), second == nullptr ? Floats{} : load_most(second, count)));
  return reinterpret_cast<Pairs>(__builtin_shufflevector(halves, halves, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                                         21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                         28, 13, 29, 14, 30, 15, 31));
}
Pairs alternate(const Bfloat16* first, const Bfloat16* second, std::int64_t count) {
  const auto lanes = static_cast<__mmask16>(first_lanes(std::min<std::int64_t>(count, width)));
  const auto read = [&](const Bfloat16* from) {
    return reinterpret_cast<Pairs>(_mm512_maskz_cvtepu16_epi32(lanes, _mm256_maskz_loadu_epi16(lanes, from)));
  };
  return second == nullptr ? read(first) : read(first) | read(second) << 16;
}

// Of rows that lie far apart a few are asked for in advance.
template <typename T>
void pair_rows(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride) {
  const std::int64_t ahead = 8 * input.stride;
  for (std::int64_t row = 0; row < input.rows; row += 2) {
    const T* from = input.data + row * input.stride;
    Bfloat16Pair* to = output + row / 2 * output_stride;
    const bool odd = row + 1 == input.rows;
    for (std::int64_t column = 0; column < input.columns; column += width) {
      const std::int64_t left = input.columns - column;
      const T* below = odd ? nullptr : from + input.stride + column;
      __builtin_prefetch(from + column + ahead);
      __builtin_prefetch(from + column + ahead + input.stride);
      store_most(to + column, alternate(from + column, below, left), left);
    }
  }
}

// 16 by 16: what lies in two rows is brought together by ones, by twos, by fours, and by fours again.
void transpose(Pairs (&rows)[width]) {
  Pairs next[width];
  for (int i = 0; i < width; i += 2) {
    const Pairs a = rows[i], b = rows[i + 1];
    next[i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    next[i + 1] = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  for (int i = 0; i < width; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const Pairs a = next[i + j], b = next[i + j + 2];
      rows[i + 2 * j] =
          __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      rows[i + 2 * j + 1] =
          __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  const auto even_fours = [](Pairs a, Pairs b) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
  };
  const auto odd_fours = [](Pairs a, Pairs b) {
    return __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  };
  for (int i = 0; i < width; i += 8) {
    for (int j = 0; j < 4; ++j) {
      next[i + j] = even_fours(rows[i + j], rows[i + j + 4]);
      next[i + j + 4] = odd_fours(rows[i + j], rows[i + j + 4]);
    }
  }
  for (int j = 0; j < 8; ++j) {
    rows[j] = even_fours(next[j], next[j + 8]);
    rows[j + 8] = odd_fours(next[j], next[j + 8]);
  }
}

template <typename T>
void pair_columns_transposed(Block<const T> input, Bfloat16Pair* output, std::int64_t output_stride) {
  for (std::int64_t row = 0; row < input.rows; row += width) {
    const std::int64_t rows = std::min<std::int64_t>(width, input.rows - row);
    for (std::int64_t column = 0; column < input.columns; column += 2 * width) {
      const std::int64_t left = input.columns - column;
      const T* from = input.data + row * input.stride + column;
      Pairs block[width] = {};
      for (std::int64_t i = 0; i < rows; ++i) block[i] = pairs_of_row(from + i * input.stride, left);
      transpose(block);
      const std::int64_t pairs = std::min<std::int64_t>(width, (left + 1) / 2);
      for (std::int64_t i = 0; i < pairs; ++i) {
        store_most(output + (column / 2 + i) * output_stride + row, block[i], rows);
      }
    }
  }
}

void round(const float* input, Bfloat16* output, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 2 * width) {
    const auto pairs = reinterpret_cast<__m512i>(pairs_of_row(input + i, count - i));
    _mm512_mask_storeu_epi16(output + i, first_lanes(count - i), pairs);
  }
}

void widen(const Bfloat16* input, float* output, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) output[i] = static_cast<float>(input[i]);
}

template <typename T>
constexpr PairLoops<T> pair_loops{pair_columns<T>, pair_columns_transposed<T>, pair_rows<T>};

}  // namespace
#endif

template <typename T>
void fill_bfloat16([[maybe_unused]] Kernels<T>& table) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    static_cast<PairLoops<float>&>(table.bfloat16) = pair_loops<float>;
    table.bfloat16.stored = pair_loops<Bfloat16>;
    table.bfloat16.round = round;
    table.bfloat16.widen = widen;
  }
#endif
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_bfloat16)
