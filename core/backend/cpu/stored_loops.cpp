// Loops over tensors that are stored in bfloat16: a few values at a time are widened, computed in float32 by
// the loops of that, and rounded, while they are in the nearest cache.
#include <algorithm>
#include <utility>

#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {
namespace {

constexpr std::int64_t values_at_once = 2048;
constexpr std::int64_t columns_at_once = 64;

struct Values {
  alignas(64) float data[values_at_once];

  const float* read(const Bfloat16* from, std::int64_t count) {
    if (from == nullptr) return nullptr;
    kernels<float>().bfloat16.widen(from, data, count);
    return data;
  }
  void write(Bfloat16* to, std::int64_t count) const { kernels<float>().bfloat16.round(data, to, count); }
  // Some columns of some rows, one row behind the other.
  Block<const float> read(Block<const Bfloat16> from) {
    if (from.stride == from.columns) {
      return {read(from.data, from.rows * from.columns), from.rows, from.columns, from.columns};
    }
    for (std::int64_t row = 0; row < from.rows; ++row) {
      kernels<float>().bfloat16.widen(from.data + row * from.stride, data + row * from.columns, from.columns);
    }
    return {data, from.rows, from.columns, from.columns};
  }
  void write(Block<Bfloat16> to) const {
    if (to.stride == to.columns) return write(to.data, to.rows * to.columns);
    for (std::int64_t row = 0; row < to.rows; ++row) {
      kernels<float>().bfloat16.round(data + row * to.columns, to.data + row * to.stride, to.columns);
    }
  }
};

// Calls visit(begin, count) for a few values after the other.
template <typename Visit>
void for_values(std::int64_t count, const Visit& visit) {
  for (std::int64_t begin = 0; begin < count; begin += values_at_once) {
    visit(begin, std::min(values_at_once, count - begin));
  }
}

// Calls visit(first row, first column, rows, columns) for parts of a block.
template <typename T, typename Visit>
void for_parts(Block<T> block, const Visit& visit) {
  for (std::int64_t column = 0; column < block.columns; column += columns_at_once) {
    const std::int64_t columns = std::min(columns_at_once, block.columns - column);
    const std::int64_t at_once = values_at_once / columns;
    for (std::int64_t row = 0; row < block.rows; row += at_once) {
      visit(row, column, std::min(at_once, block.rows - row), columns);
    }
  }
}

template <typename T>
Block<T> part(T* data, std::int64_t stride, std::int64_t row, std::int64_t column, std::int64_t rows,
              std::int64_t columns) {
  return {data + row * stride + column, rows, columns, stride};
}

template <int rule>
void forward(const void* object, const Bfloat16* input, Bfloat16* output, std::int64_t count) {
  Values values;
  for_values(count, [&](std::int64_t begin, std::int64_t some) {
    values.read(input + begin, some);
    kernels<float>().activations[rule].bias_forward(object, {values.data, 1, some, some}, nullptr);
    values.write(output + begin, some);
  });
}

template <int rule>
void gradient(const void* object, const Bfloat16* input, const Bfloat16* output,
              const Bfloat16* output_gradient, Bfloat16* input_gradient, std::int64_t count) {
  Values x, y, g;
  for_values(count, [&](std::int64_t begin, std::int64_t some) {
    const float* outputs = y.read(output + begin, some);
    const float* inputs = input == output ? outputs : x.read(input + begin, some);
    const float* gradients = g.read(output_gradient + begin, some);
    kernels<float>().activations[rule].gradient(object, inputs, outputs, gradients, g.data, some);
    g.write(input_gradient + begin, some);
  });
}

void add(const Bfloat16* left, const Bfloat16* right, Bfloat16* output, std::int64_t count) {
  Values sum, other;
  for_values(count, [&](std::int64_t begin, std::int64_t some) {
    sum.read(left + begin, some);
    kernels<float>().accumulate(other.read(right + begin, some), 1, false, sum.data, some);
    sum.write(output + begin, some);
  });
}

void moments(Block<const Bfloat16> block, PartialMoments& sums) {
  Values values;
  for_parts(block, [&](std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) {
    kernels<float>().moments(values.read(part(block.data, block.stride, row, column, rows, columns)), sums);
  });
}

double column_sum(Block<const Bfloat16> input, float* output) {
  Values values;
  float sums[columns_at_once];
  std::fill_n(output, input.columns, 0.0f);
  for_parts(input, [&](std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) {
    kernels<float>().column_sum(values.read(part(input.data, input.stride, row, column, rows, columns)),
                                sums);
    for (std::int64_t i = 0; i < columns; ++i) output[column + i] += sums[i];
  });
  return kernels<float>().squares({output, 1, input.columns, input.columns});
}

// By Chan, Golub and LeVeque (1983).
void column_moments(Block<const Bfloat16> input, double* mean, double* spread, std::int64_t* zeros) {
  Values values;
  double own_mean[columns_at_once], own_spread[columns_at_once];
  std::int64_t own_zeros = 0;
  if (zeros != nullptr) *zeros = 0;
  for_parts(input, [&](std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) {
    kernels<float>().column_moments(values.read(part(input.data, input.stride, row, column, rows, columns)),
                                    own_mean, own_spread, zeros == nullptr ? nullptr : &own_zeros);
    if (zeros != nullptr) *zeros += own_zeros;
    const auto before = static_cast<double>(row);
    const double share = static_cast<double>(rows) / (before + static_cast<double>(rows));
    for (std::int64_t i = 0; i < columns; ++i) {
      double& all_mean = mean[column + i];
      double& all_spread = spread[column + i];
      if (row == 0) all_mean = all_spread = 0;
      const double difference = own_mean[i] - all_mean;
      all_spread += own_spread[i] + difference * difference * before * share;
      all_mean += difference * share;
    }
  });
}

ColumnNorm<float> from(const ColumnNorm<float>& norm, std::int64_t column) {
  const auto at = [&](const float* numbers) { return numbers == nullptr ? nullptr : numbers + column; };
  return {at(norm.mean), at(norm.variance), at(norm.scale), at(norm.centre), norm.epsilon};
}

void column_norm_sums(Block<const Bfloat16> input, const Bfloat16* output_gradient,
                      const ColumnNorm<float>& norm, double* scale_sums, double* centre_sums) {
  Values x, g;
  for_parts(input, [&](std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) {
    const auto of = [&](const Bfloat16* data) {
      return part(data, input.stride, row, column, rows, columns);
    };
    kernels<float>().column_norm_sums(x.read(of(input.data)), g.read(of(output_gradient)).data,
                                      from(norm, column), scale_sums + column, centre_sums + column);
  });
}

void column_norm_gradient(Block<const Bfloat16> input, const Bfloat16* output_gradient,
                          const ColumnNorm<float>& norm, const float* scale_sums, const float* centre_sums,
                          float count, Bfloat16* input_gradient) {
  Values x, g, result;
  for_parts(input, [&](std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) {
    const auto of = [&](const Bfloat16* data) {
      return part(data, input.stride, row, column, rows, columns);
    };
    kernels<float>().column_norm_gradient(x.read(of(input.data)), g.read(of(output_gradient)).data,
                                          from(norm, column), scale_sums + column, centre_sums + column,
                                          count, result.data);
    result.write(part(input_gradient, input.stride, row, column, rows, columns));
  });
}

Kernels<Bfloat16> make_kernels() {
  Kernels<Bfloat16> table{};
  table.level = kernels<float>().level;
  [&]<int... rule>(std::integer_sequence<int, rule...>) {
    ((table.activations[rule] = {forward<rule>, gradient<rule>, nullptr, nullptr}), ...);
  }(std::make_integer_sequence<int, static_cast<int>(ActivationRules::size)>{});
  table.add = add;
  table.moments = moments;
  table.column_sum = column_sum;
  table.dropout = kernels<float>().bfloat16.dropout;
  table.column_moments = column_moments;
  table.column_norm_sums = column_norm_sums;
  table.column_norm_gradient = column_norm_gradient;
  return table;
}

}  // namespace

template <>
const Kernels<Bfloat16>& kernels<Bfloat16>() {
  static const Kernels<Bfloat16> table = make_kernels();
  return table;
}

}  // namespace ravine::cpu
