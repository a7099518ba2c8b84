// What is measured of outputs: sums against those in double, and outputs that are the same measured or not.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/measure.h"
#include "catalog/catalog.h"
#include "levels.h"

namespace ravine::cpu {
namespace {

// Every fifth value is zero; they lie around 3.
template <typename T>
std::vector<T> values_with_zeros(std::size_t count, unsigned seed) {
  std::vector<T> values = numbers<T>(count, seed, 0.5);
  for (std::size_t i = 0; i < count; ++i) values[i] = i % 5 == 2 ? T(0) : values[i] + T(3);
  return values;
}

template <typename T>
OutputMoments expected_of(Block<const T> block) {
  long double sum = 0, zeros = 0, spread = 0;
  const auto count = static_cast<long double>(block.rows * block.columns);
  const auto for_each = [&](const auto& visit) {
    for (std::int64_t row = 0; row < block.rows; ++row) {
      for (std::int64_t i = 0; i < block.columns; ++i) {
        visit(static_cast<long double>(block.data[row * block.stride + i]));
      }
    }
  };
  for_each([&](long double value) {
    sum += value;
    zeros += value == 0;
  });
  const long double mean = sum / count;
  for_each([&](long double value) { spread += (value - mean) * (value - mean); });
  return {static_cast<double>(mean), static_cast<double>(spread / count), static_cast<double>(zeros / count)};
}

template <typename T>
void check_moments(const PartialMoments& found, const OutputMoments& expected, double ulps = 256) {
  const double tolerance = ulps * static_cast<double>(std::numeric_limits<T>::epsilon());
  const OutputMoments moments = combine({found});
  CHECK(std::fabs(moments.mean - expected.mean) <= tolerance * (1 + std::fabs(expected.mean)));
  CHECK(std::fabs(moments.variance - expected.variance) <= tolerance * (1 + expected.variance));
  CHECK(moments.zeros == doctest::Approx(expected.zeros).epsilon(1e-12));
}

}  // namespace

TEST_CASE_TEMPLATE("levels: moments", T, float, double) {
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    for (std::int64_t rows : {1, 2, 7, 70}) {
      for (std::int64_t columns : {1, 5, 16, 33, 64, 101, 5000}) {
        for (std::int64_t gap : {0, 3}) {
          CAPTURE(rows);
          CAPTURE(columns);
          CAPTURE(gap);
          const std::int64_t stride = columns + gap;
          // What lies between the rows and behind them is not looked at.
          std::vector<T> values = values_with_zeros<T>(static_cast<std::size_t>(rows * stride), 1);
          for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t i = columns; i < stride; ++i) {
              values[static_cast<std::size_t>(row * stride + i)] = std::numeric_limits<T>::quiet_NaN();
            }
          }
          const Block<const T> block{values.data(), rows, columns, stride};
          const OutputMoments expected = expected_of(block);
          PartialMoments moments{};
          kernels.moments(block, moments);
          check_moments<T>(moments, expected);
          // Row by row they are the same, with one shift.
          PartialMoments by_rows{};
          for (std::int64_t row = 0; row < rows; ++row) {
            kernels.moments({values.data() + row * stride, 1, columns, stride}, by_rows);
          }
          check_moments<T>(by_rows, expected);
          CHECK(by_rows.count == moments.count);
          CHECK(by_rows.shift == moments.shift);
          const double squares = (expected.variance + expected.mean * expected.mean) * moments.count;
          CHECK(kernels.squares(block) == doctest::Approx(squares).epsilon(
                                              64 * static_cast<double>(std::numeric_limits<T>::epsilon())));
        }
      }
    }
  }
}

TEST_CASE("levels: moments of zeros alone") {
  for (std::int64_t columns : {1, 15, 17, 64}) {
    const std::vector<float> values(static_cast<std::size_t>(columns), 0.0f);
    for (const Kernels<float>& kernels : levels<float>()) {
      PartialMoments moments{};
      kernels.moments({values.data(), 1, columns, columns}, moments);
      CHECK(moments.zeros == static_cast<double>(columns));
      CHECK(moments.sum == 0);
      CHECK(moments.squares == 0);
    }
  }
}

TEST_CASE_TEMPLATE("levels: zeros beside the moments of columns", T, float, double) {
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    for (std::int64_t columns : {1, 5, 16, 24, 33}) {
      CAPTURE(columns);
      constexpr std::int64_t rows = 77;
      const std::vector<T> values = values_with_zeros<T>(static_cast<std::size_t>(rows * columns), 2);
      const Block<const T> block{values.data(), rows, columns, columns};
      std::vector<double> mean(static_cast<std::size_t>(columns)), spread = mean, other_mean = mean,
                                                                   other_spread = mean;
      std::int64_t zeros = -1;
      kernels.column_moments(block, mean.data(), spread.data(), &zeros);
      kernels.column_moments(block, other_mean.data(), other_spread.data(), nullptr);
      CHECK(mean == other_mean);
      CHECK(spread == other_spread);
      const auto expected = expected_of(block).zeros * static_cast<double>(rows * columns);
      CHECK(static_cast<double>(zeros) == doctest::Approx(expected).epsilon(1e-12));
    }
  }
}

TEST_CASE_TEMPLATE("levels: activation that is measured on the way", T, float, double) {
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    int index = 0;
    ActivationRules::for_each([&]<template <typename> class Rule>() {
      CAPTURE(Rule<T>::name);
      const Rule<T> rule(
          catalog::resolve(catalog::Kind::activation, {std::string(Rule<T>::name), {}}).values);
      for (std::int64_t columns : {1, 10, 16, 70, 3000}) {
        for (bool biased : {false, true}) {
          CAPTURE(columns);
          CAPTURE(biased);
          constexpr std::int64_t rows = 12;
          const std::int64_t stride = columns + 2;
          std::vector<T> plain = values_with_zeros<T>(static_cast<std::size_t>(rows * stride), 8);
          std::vector<T> measured = plain;
          const std::vector<T> bias = numbers<T>(static_cast<std::size_t>(columns), 9, 4.0);
          const T* const given = biased ? bias.data() : nullptr;
          kernels.activations[index].bias_forward(&rule, {plain.data(), rows, columns, stride}, given);
          PartialMoments moments{};
          kernels.activations[index].bias_forward_measured(&rule, {measured.data(), rows, columns, stride},
                                                           given, moments);
          CHECK(measured == plain);
          check_moments<T>(moments, expected_of<T>({plain.data(), rows, columns, stride}));
        }
      }
      ++index;
    });
  }
}

TEST_CASE_TEMPLATE("levels: normalization that is measured on the way", T, float, double) {
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    int index = 0;
    ActivationRules::for_each([&]<template <typename> class Rule>() {
      CAPTURE(Rule<T>::name);
      const Rule<T> rule(
          catalog::resolve(catalog::Kind::activation, {std::string(Rule<T>::name), {}}).values);
      for (std::int64_t columns : {1, 10, 16, 64, 70}) {
        for (bool adds : {false, true}) {
          CAPTURE(columns);
          CAPTURE(adds);
          constexpr std::int64_t rows = 37;
          const auto size = static_cast<std::size_t>(rows * columns);
          const auto wide = static_cast<std::size_t>(columns);
          const std::vector<T> input = numbers<T>(size, 3, 2.0), other = numbers<T>(size, 4);
          const std::vector<T> mean = numbers<T>(wide, 5), scale = numbers<T>(wide, 6),
                               centre = numbers<T>(wide, 7);
          const std::vector<T> variance(wide, T(1.5));
          const ColumnNorm<T> norm{mean.data(), variance.data(), scale.data(), centre.data(), T(1e-5)};
          const Block<const T> block{input.data(), rows, columns, columns};
          const T* add = adds ? other.data() : nullptr;
          std::vector<T> plain(size), measured(size), normalized(size);
          kernels.normalize_columns[index](&rule, block, norm, add, plain.data());
          const NormalizationMoments moments =
              kernels.normalize_columns_measured[index](&rule, block, norm, add, measured.data());
          CHECK(measured == plain);
          for (std::size_t i = 0; i < size; ++i) {
            const std::size_t column = i % wide;
            normalized[i] =
                (input[i] - mean[column]) * scale[column] / std::sqrt(variance[column] + norm.epsilon) +
                centre[column];
          }
          check_moments<T>(moments.normalized, expected_of<T>({normalized.data(), rows, columns, columns}));
          if (adds) {
            for (std::size_t i = 0; i < size; ++i) normalized[i] += other[i];
          }
          check_moments<T>(moments.sum, expected_of<T>({normalized.data(), rows, columns, columns}));
          check_moments<T>(moments.output, expected_of<T>({plain.data(), rows, columns, columns}));
        }
      }
      ++index;
    });
  }
}

}  // namespace ravine::cpu
