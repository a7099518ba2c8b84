// Batch normalization: each column by its moments over the rows.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "backend/cpu/simd/moment_sums.h"

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
  T values[piece] = {};

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
template <typename T, bool counts>
void column_moments(Block<const T> input, double* __restrict mean, double* __restrict spread,
                    std::int64_t* __restrict zeros) {
  for_vectors<T>(input.columns, [&](const auto& read, std::int64_t column, int count) {
    double all_mean[lanes<T>] = {};
    double all_spread[lanes<T>] = {};
    std::int64_t found = 0;
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
        const Vector<T> value = read(x + row * input.stride);
        if constexpr (counts) found += zeros_of(value);
        const Vector<T> difference = value - shift;
        squares[place] += difference * difference;
        return difference;
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
    if constexpr (counts) *zeros += found - input.rows * (lanes<T> - count);
  });
}

template <typename T>
void column_moments(Block<const T> input, double* mean, double* spread, std::int64_t* zeros) {
  if (zeros == nullptr) {
    column_moments<T, false>(input, mean, spread, zeros);
  } else {
    *zeros = 0;
    column_moments<T, true>(input, mean, spread, zeros);
  }
}

// What the columns of a piece are normalized with, repeated for rows that are taken at once.
template <typename T>
struct Factors {
  PieceOf<T> mean, factor, shift;

  Factors(const ColumnNorm<T>& norm, std::int64_t begin, std::int64_t columns, std::int64_t at_once) {
    for (std::int64_t i = 0; i < columns; ++i) {
      mean[i] = norm.mean[begin + i];
      factor[i] = inverse_deviation_of(norm.variance[begin + i], norm.epsilon);
      if (norm.scale != nullptr) factor[i] *= norm.scale[begin + i];
      shift[i] = norm.centre == nullptr ? T(0) : norm.centre[begin + i];
    }
    for (PieceOf<T>* numbers : {&mean, &factor, &shift}) numbers->repeat(columns, at_once);
  }
};

// The loop of one activation rule; `add` may be null.
template <typename T, typename Rule>
void normalize_columns(const void* rule_pointer, Block<const T> input, const ColumnNorm<T>& norm,
                       const T* add, T* __restrict output) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  const std::int64_t at_once = rows_at_once(input);
  for (std::int64_t begin = 0; begin < input.columns; begin += piece) {
    const std::int64_t columns = std::min(piece, input.columns - begin);
    const Factors<T> factors(norm, begin, columns, at_once);
    const auto& [mean, factor, shift] = factors;
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

// The first values are the shifts.
template <typename T, typename Rule, bool adds>
NormalizationMoments normalize_measured(const Rule& rule, Block<const T> input, const ColumnNorm<T>& norm,
                                        const T* add, T* __restrict output) {
  if (input.rows * input.columns == 0) return {};
  const std::int64_t at_once = rows_at_once(input);
  const Factors<T> first(norm, 0, 1, 1);
  T shifts[3] = {(input.data[0] - first.mean[0]) * first.factor[0] + first.shift[0]};
  shifts[1] = adds ? shifts[0] + add[0] : shifts[0];
  shifts[2] = rule.forward(shifts[1]);
  MomentSums<T> normalized(shifts[0]), sum(shifts[1]), result(shifts[2]);
  for (std::int64_t begin = 0; begin < input.columns; begin += piece) {
    const std::int64_t columns = std::min(piece, input.columns - begin);
    const Factors<T> factors(norm, begin, columns, at_once);
    for (std::int64_t row = 0; row < input.rows; row += at_once) {
      const std::int64_t offset = row * input.stride + begin;
      const std::int64_t count = columns * std::min(at_once, input.rows - row);
      for (std::int64_t i = 0; i < count; i += lanes<T>) {
        const auto part = static_cast<int>(std::min<std::int64_t>(lanes<T>, count - i));
        Vector<T> value = (load_some(input.data + offset + i, part) - load(factors.mean.values + i)) *
                              load(factors.factor.values + i) +
                          load(factors.shift.values + i);
        if constexpr (adds) {
          normalized.add_some(value, part);
          value += load_some(add + offset + i, part);
        }
        if constexpr (!std::is_same_v<Rule, Identity<T>>) {
          sum.add_some(value, part);
          value = activated<T>(rule, value);
        }
        result.add_some(value, part);
        store_some(output + offset + i, value, part);
      }
    }
  }
  const auto values = static_cast<double>(input.rows * input.columns);
  const auto moments_of = [&](const MomentSums<T>& sums, T shift) {
    PartialMoments moments{values, static_cast<double>(shift), 0, 0, 0};
    sums.flush(moments);
    return moments;
  };
  NormalizationMoments moments;
  moments.output = moments_of(result, shifts[2]);
  moments.sum = std::is_same_v<Rule, Identity<T>> ? moments.output : moments_of(sum, shifts[1]);
  moments.normalized = adds ? moments_of(normalized, shifts[0]) : moments.sum;
  return moments;
}

template <typename T, typename Rule>
NormalizationMoments normalize_columns_measured(const void* rule_pointer, Block<const T> input,
                                                const ColumnNorm<T>& norm, const T* add, T* output) {
  const Rule rule = *static_cast<const Rule*>(rule_pointer);
  return add == nullptr ? normalize_measured<T, Rule, false>(rule, input, norm, add, output)
                        : normalize_measured<T, Rule, true>(rule, input, norm, add, output);
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
    table.normalize_columns[index] = normalize_columns<T, Rule<T>>;
    table.normalize_columns_measured[index++] = normalize_columns_measured<T, Rule<T>>;
  });
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_column_normalization)
