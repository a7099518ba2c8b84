// Batch normalization: each column by its moments over the rows.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// Columns are taken in pieces whose factors fit on the stack.
constexpr std::int64_t piece = 64;
// Sums over so many rows are formed in T; they are added up in double.
constexpr std::int64_t rows_of_sum = 32;

template <typename T>
T inverse_deviation_of(T variance, T epsilon) {
  return T(1) / std::sqrt(variance + epsilon);
}

// Numbers that belong to the columns of a piece.
template <typename T>
struct PieceOf {
  T values[piece];

  T& operator[](std::int64_t column) { return values[column]; }
  const T& operator[](std::int64_t column) const { return values[column]; }
  void repeat(std::int64_t columns, std::int64_t times) {
    for (std::int64_t i = columns; i < columns * times; ++i) values[i] = values[i - columns];
  }
};

// Short rows that lie one behind the other are taken so many at once, to fill vectors.
template <typename T>
std::int64_t rows_at_once(Block<const T> block) {
  return block.stride == block.columns ? std::max<std::int64_t>(1, piece / block.columns) : 1;
}

// Calls loop(offset, count) for the rows of a piece that begins at some column; a whole piece is a constant,
// so that the compiler unrolls its loop.
template <typename T, typename Loop>
void for_rows(Block<const T> block, std::int64_t column, std::int64_t columns, std::int64_t at_once,
              const Loop& loop) {
  for (std::int64_t row = 0; row < block.rows; row += at_once) {
    const std::int64_t offset = row * block.stride + column;
    const std::int64_t count = columns * std::min(at_once, block.rows - row);
    if (count == piece) {
      loop(offset, std::integral_constant<std::int64_t, piece>{});
    } else {
      loop(offset, count);
    }
  }
}

// Calls loop(read, column, count) for vectors of columns; read(from) gives the first `count` lanes there.
template <typename T, typename Loop>
void for_vectors(std::int64_t columns, const Loop& loop) {
  std::int64_t column = 0;
  for (; column + lanes<T> <= columns; column += lanes<T>) {
    loop([](const T* from) { return load(from); }, column, lanes<T>);
  }
  if (column == columns) return;
  const int rest = static_cast<int>(columns - column);
  loop([rest](const T* from) { return load_part(from, rest); }, column, rest);
}

// The sum of value(row, place) over some rows, of which two are under way at a time, in places 0 and 1.
template <typename T, typename Value>
Vector<T> sum_of_rows(std::int64_t rows, const Value& value) {
  Vector<T> sum[2] = {};
  std::int64_t row = 0;
  for (; row + 2 <= rows; row += 2) {
    sum[0] += value(row, 0);
    sum[1] += value(row + 1, 1);
  }
  if (row < rows) sum[0] += value(row, 0);
  return sum[0] + sum[1];
}

// Rows are taken a few at a time, shifted by the mean of those before, so that nothing cancels, and put
// together by Chan, Golub and LeVeque (1983).
template <typename T>
void column_moments(Block<const T> input, double* __restrict mean, double* __restrict spread) {
  for_vectors<T>(input.columns, [&](const auto& read, std::int64_t column, int count) {
    double all_mean[lanes<T>] = {};
    double all_spread[lanes<T>] = {};
    const Vector<T> first = read(input.data + column);
    const std::int64_t first_rows = std::min(rows_of_sum, input.rows);
    Vector<T> shift = first + sum_of_rows<T>(first_rows, [&](std::int64_t row, int) {
                                return read(input.data + row * input.stride + column) - first;
                              }) / static_cast<T>(first_rows);
    for (std::int64_t begin = 0; begin < input.rows; begin += rows_of_sum) {
      const std::int64_t rows = std::min(rows_of_sum, input.rows - begin);
      const T* x = input.data + begin * input.stride + column;
      Vector<T> squares[2] = {};
      const Vector<T> sum = sum_of_rows<T>(rows, [&](std::int64_t row, int place) {
        const Vector<T> value = read(x + row * input.stride) - shift;
        squares[place] += value * value;
        return value;
      });
      T sums[lanes<T>], spreads[lanes<T>], shifts[lanes<T>];
      store(sums, sum);
      store(spreads, squares[0] + squares[1]);
      store(shifts, shift);
      const auto before = static_cast<double>(begin);
      const auto own = static_cast<double>(rows);
      const double share = own / (before + own);
      const double inverse = 1 / own;
#pragma omp simd
      for (int i = 0; i < lanes<T>; ++i) {
        const double shifted_mean = static_cast<double>(sums[i]) * inverse;
        const double difference = static_cast<double>(shifts[i]) + shifted_mean - all_mean[i];
        all_spread[i] += static_cast<double>(spreads[i]) - static_cast<double>(sums[i]) * shifted_mean +
                         difference * difference * before * share;
        all_mean[i] += difference * share;
        shifts[i] = static_cast<T>(all_mean[i]);
      }
      shift = load(shifts);
    }
    std::copy_n(all_mean, count, mean + column);
    std::copy_n(all_spread, count, spread + column);
  });
}

// The loop of one activation rule; `add` may be null.
template <typename T, typename Rule>
void normalize_columns(const void* rule_pointer, Block<const T> input, const ColumnNorm<T>& norm,
                       const T* add, T* __restrict output) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  const std::int64_t at_once = rows_at_once(input);
  PieceOf<T> mean, factor, shift;
  for (std::int64_t begin = 0; begin < input.columns; begin += piece) {
    const std::int64_t columns = std::min(piece, input.columns - begin);
    for (std::int64_t i = 0; i < columns; ++i) {
      mean[i] = norm.mean[begin + i];
      factor[i] = inverse_deviation_of(norm.variance[begin + i], norm.epsilon);
      if (norm.scale != nullptr) factor[i] *= norm.scale[begin + i];
      shift[i] = norm.centre == nullptr ? T(0) : norm.centre[begin + i];
    }
    for (PieceOf<T>* numbers : {&mean, &factor, &shift}) numbers->repeat(columns, at_once);
    for_rows(input, begin, columns, at_once, [&](std::int64_t offset, auto count) {
      const T* x = input.data + offset;
      T* y = output + offset;
      if (add == nullptr) {
#pragma omp simd
        for (std::int64_t i = 0; i < count; ++i) {
          y[i] = rule.forward((x[i] - mean[i]) * factor[i] + shift[i]);
        }
      } else {
        const T* other = add + offset;
#pragma omp simd
        for (std::int64_t i = 0; i < count; ++i) {
          y[i] = rule.forward((x[i] - mean[i]) * factor[i] + shift[i] + other[i]);
        }
      }
    });
  }
}

template <typename T>
void column_norm_sums(Block<const T> input, const T* output_gradient, const ColumnNorm<T>& norm,
                      double* __restrict scale_sums, double* __restrict centre_sums) {
  for_vectors<T>(input.columns, [&](const auto& read, std::int64_t column, int count) {
    const Vector<T> mean = read(norm.mean + column);
    double scale[lanes<T>] = {};
    double centre[lanes<T>] = {};
    for (std::int64_t begin = 0; begin < input.rows; begin += rows_of_sum) {
      const T* x = input.data + begin * input.stride + column;
      const T* g = output_gradient + begin * input.stride + column;
      Vector<T> products[2] = {};
      const Vector<T> sum =
          sum_of_rows<T>(std::min(rows_of_sum, input.rows - begin), [&](std::int64_t row, int place) {
            const Vector<T> gradient = read(g + row * input.stride);
            products[place] += gradient * (read(x + row * input.stride) - mean);
            return gradient;
          });
      T own_scale[lanes<T>], own_centre[lanes<T>];
      store(own_scale, products[0] + products[1]);
      store(own_centre, sum);
#pragma omp simd
      for (int i = 0; i < lanes<T>; ++i) {
        scale[i] += static_cast<double>(own_scale[i]);
        centre[i] += static_cast<double>(own_centre[i]);
      }
    }
    for (int i = 0; i < count; ++i) {
      const T inverse = inverse_deviation_of(norm.variance[column + i], norm.epsilon);
      scale_sums[column + i] += scale[i] * static_cast<double>(inverse);
      centre_sums[column + i] += centre[i];
    }
  });
}

template <typename T>
void column_norm_gradient(Block<const T> input, const T* output_gradient, const ColumnNorm<T>& norm,
                          const T* scale_sums, const T* centre_sums, T count, T* __restrict input_gradient) {
  const std::int64_t at_once = rows_at_once(input);
  PieceOf<T> mean;
  PieceOf<T> factor;   // of all
  PieceOf<T> slope;    // of x - mean
  PieceOf<T> average;  // of g
  for (std::int64_t begin = 0; begin < input.columns; begin += piece) {
    const std::int64_t columns = std::min(piece, input.columns - begin);
    for (std::int64_t i = 0; i < columns; ++i) {
      const T inverse = inverse_deviation_of(norm.variance[begin + i], norm.epsilon);
      mean[i] = norm.mean[begin + i];
      factor[i] = norm.scale == nullptr ? inverse : inverse * norm.scale[begin + i];
      slope[i] = inverse * scale_sums[begin + i] / count;
      average[i] = centre_sums[begin + i] / count;
    }
    for (PieceOf<T>* numbers : {&mean, &factor, &slope, &average}) numbers->repeat(columns, at_once);
    for_rows(input, begin, columns, at_once, [&](std::int64_t offset, auto values) {
      const T* x = input.data + offset;
      const T* g = output_gradient + offset;
      T* result = input_gradient + offset;
#pragma omp simd
      for (std::int64_t i = 0; i < values; ++i) {
        result[i] = factor[i] * (g[i] - average[i] - (x[i] - mean[i]) * slope[i]);
      }
    });
  }
}

}  // namespace

template <typename T>
void fill_column_normalization(Kernels<T>& table) {
  table.column_moments = column_moments<T>;
  table.column_norm_sums = column_norm_sums<T>;
  table.column_norm_gradient = column_norm_gradient<T>;
  int index = 0;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    table.normalize_columns[index++] = normalize_columns<T, Rule<T>>;
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_column_normalization)
