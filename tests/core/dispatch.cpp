// Every instruction set gives the same numbers within rounding, and the same decisions exactly.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/rule_object.h"
#include "catalog/catalog.h"
#include "levels.h"

namespace ravine::cpu {
namespace {

template <typename T, typename Rule, typename... More>
Rule made(catalog::Kind kind, More... more) {
  return Rule(catalog::resolve(kind, {std::string(Rule::name), {}}).values, more...);
}

}  // namespace

TEST_CASE_TEMPLATE("levels: activations", T, float, double) {
  const auto tables = levels<T>();
  for (std::size_t table = 1; table < tables.size(); ++table) {
    CAPTURE(tables[table].level);
    int index = 0;
    ActivationRules::for_each([&]<template <typename> class Rule>() {
      CAPTURE(Rule<T>::name);
      const auto rule = made<T, Rule<T>>(catalog::Kind::activation);
      for (std::size_t size : sizes) {
        const auto count = static_cast<std::int64_t>(size);
        const auto x = numbers<T>(size, 1, 4.0);
        const auto g = numbers<T>(size, 2);
        const auto run = [&](const Kernels<T>& kernels) {
          const auto& loops = kernels.activations[index];
          std::vector<T> y(size), gradient(size), block = x;
          loops.forward(&rule, x.data(), y.data(), count);
          loops.gradient(&rule, x.data(), y.data(), g.data(), gradient.data(), count);
          loops.bias_forward(&rule, {block.data(), 1, count, count}, g.data());
          y.insert(y.end(), gradient.begin(), gradient.end());
          y.insert(y.end(), block.begin(), block.end());
          return y;
        };
        check_close(run(tables[table]), run(tables[0]), 16);
      }
      ++index;
    });
  }
}

TEST_CASE_TEMPLATE("levels: activations keep NaN and bounds", T, float, double) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> x{
      std::numeric_limits<T>::quiet_NaN(), infinity, -infinity, std::numeric_limits<T>::max(),
      std::numeric_limits<T>::lowest(),    T(0),     T(-0.0),   std::numeric_limits<T>::min()};
  for (const Kernels<T>& kernels : levels<T>()) {
    CAPTURE(kernels.level);
    int index = 0;
    ActivationRules::for_each([&]<template <typename> class Rule>() {
      CAPTURE(Rule<T>::name);
      const auto rule = made<T, Rule<T>>(catalog::Kind::activation);
      std::vector<T> y(x.size());
      kernels.activations[index++].forward(&rule, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
      CHECK(std::isnan(y[0]));
      // x f(x) has no limit in floating point at minus infinity; every finite value has one.
      for (std::size_t i = 3; i < y.size(); ++i) CHECK_FALSE(std::isnan(y[i]));
      for (std::size_t i = 5; i < y.size(); ++i) CHECK(std::fabs(y[i]) <= T(0.7));
    });
  }
}

TEST_CASE_TEMPLATE("levels: reductions", T, float, double) {
  const auto tables = levels<T>();
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t size : sizes) {
    const auto columns = static_cast<std::int64_t>(size);
    constexpr std::int64_t rows = 5;
    const std::int64_t stride = columns + 3;  // gaps hold what must not be read
    auto values = numbers<T>(static_cast<std::size_t>(rows * stride), 3);
    double squares = 0, sum = 0;
    std::vector<T> column_sums(size, T(0));
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < stride; ++column) {
        T& value = values[static_cast<std::size_t>(row * stride + column)];
        if (column >= columns) {
          value = std::numeric_limits<T>::quiet_NaN();
          continue;
        }
        if (column % 3 == 0) value = T(0);
        squares += static_cast<double>(value) * static_cast<double>(value);
        sum += static_cast<double>(value);
        column_sums[static_cast<std::size_t>(column)] += value;
      }
    }
    const Block<const T> block{values.data(), rows, columns, stride};
    for (const Kernels<T>& kernels : tables) {
      CAPTURE(kernels.level);
      CAPTURE(size);
      const double bound = 100 * epsilon * (1 + squares);
      CHECK(std::fabs(kernels.squares(block) - squares) <= bound);
      PartialMoments moments{};
      kernels.moments(block, moments);
      CHECK(moments.count == static_cast<double>(rows * columns));
      CHECK(moments.zeros == static_cast<double>(rows * ((columns + 2) / 3)));
      CHECK(std::fabs(moments.sum + moments.shift * moments.count - sum) <= bound);
      std::vector<T> found(size);
      const double sum_squares = kernels.column_sum(block, found.data());
      check_close(found, column_sums, 8);
      double expected = 0;
      for (T value : found) expected += static_cast<double>(value) * static_cast<double>(value);
      CHECK(std::fabs(sum_squares - expected) <= bound + 100 * epsilon * expected);
    }
  }
}

TEST_CASE_TEMPLATE("levels: pooling", T, float, double) {
  const auto tables = levels<T>();
  for (std::int64_t channels : {1, 3, 16, 33}) {
    for (const PoolingExtents& e : {PoolingExtents{6, 4, channels, 3, 2, 2, 2, 2, 0, 0},
                                    PoolingExtents{5, 6, channels, 3, 3, 3, 3, 2, 1, 1}}) {
      const auto x = numbers<T>(static_cast<std::size_t>(e.height * e.width * channels), 4);
      const auto outputs = static_cast<std::size_t>(e.out_height * e.out_width * channels);
      const auto g = numbers<T>(outputs, 5);
      const auto run = [&](const typename Kernels<T>::PoolingLoops& loops) {
        std::vector<T> y(outputs), again(outputs), gradient(x.size());
        std::vector<std::int32_t> positions(outputs);
        loops.forward(e, x.data(), y.data(), positions.data());
        loops.forward(e, x.data(), again.data(), nullptr);
        CHECK(again == y);
        loops.gradient(e, g.data(), positions.data(), gradient.data());
        y.insert(y.end(), gradient.begin(), gradient.end());
        return y;
      };
      const auto largest = run(tables[0].max_pooling);
      const auto mean = run(tables[0].average_pooling);
      for (const Kernels<T>& kernels : tables) {
        CAPTURE(kernels.level);
        CAPTURE(channels);
        CHECK(run(kernels.max_pooling) == largest);  // values are chosen and moved, never changed
        check_close(run(kernels.average_pooling), mean, 8);
      }
    }
  }
}

TEST_CASE_TEMPLATE("levels: dropout keeps the same values", T, float, double) {
  const auto tables = levels<T>();
  for (std::size_t size : sizes) {
    const auto columns = static_cast<std::int64_t>(size);
    const auto x = numbers<T>(3 * size, 4);
    const RandomKey key{77, RandomPurpose::dropout, 2, 9};
    const auto run = [&](const Kernels<T>& kernels, std::uint32_t first_row, std::size_t row,
                         std::int64_t rows) {
      std::vector<T> y(static_cast<std::size_t>(rows) * size);
      kernels.dropout(key, 0.3, true, first_row, {x.data() + row * size, rows, columns, columns}, y.data());
      return y;
    };
    const std::vector<T> whole = run(tables[0], 5, 0, 3);
    for (const Kernels<T>& kernels : tables) {
      CAPTURE(kernels.level);
      CHECK(run(kernels, 5, 0, 3) == whole);  // exactly
      // A row's mask does not depend on the rows beside it.
      CHECK(run(kernels, 6, 1, 1) == std::vector<T>(whole.begin() + columns, whole.begin() + 2 * columns));
    }
  }
}

TEST_CASE_TEMPLATE("levels: losses", T, float, double) {
  const auto tables = levels<T>();
  for (std::size_t size : sizes) {
    const auto columns = static_cast<std::int64_t>(size);
    constexpr std::int64_t rows = 6;
    const auto z = numbers<T>(rows * size, 5, 3.0);
    const auto targets = numbers<T>(rows * size, 6);
    std::vector<std::int32_t> labels;
    for (std::int64_t row = 0; row < rows; ++row)
      labels.push_back(static_cast<std::int32_t>(row * 7 % columns));
    std::vector<T> weights = numbers<T>(rows, 7), class_weights = numbers<T>(size, 8);
    for (auto* values : {&weights, &class_weights}) {
      for (T& value : *values) value = std::fabs(value);
    }
    const std::vector<std::int32_t> second_labels(labels.rbegin(), labels.rend());
    std::vector<T> shares = numbers<T>(rows, 9);
    for (T& share : shares) share = std::fabs(share) / (1 + std::fabs(share));
    const RowClasses<T> alone{labels.data()};
    const RowClasses<T> mixed{labels.data(), second_labels.data(), shares.data()};
    const RowWeights<T> even{nullptr, nullptr, 0, 4};
    const RowWeights<T> uneven{weights.data(), class_weights.data(), 1.5, 4};
    const auto run = [&](const Kernels<T>& kernels, bool with_gradient, PartialLoss* loss) {
      std::vector<T> gradient(z.size()), weighted(z.size()), probabilities(z.size());
      kernels.softmax_cross_entropy({z.data(), rows, columns, columns}, mixed, T(0.1), uneven,
                                    weighted.data());
      *loss = kernels.softmax_cross_entropy({z.data(), rows, columns, columns}, alone, T(0.1), even,
                                            with_gradient ? gradient.data() : nullptr);
      kernels.softmax({z.data(), rows, columns, columns}, probabilities.data());
      gradient.insert(gradient.end(), probabilities.begin(), probabilities.end());
      gradient.insert(gradient.end(), weighted.begin(), weighted.end());
      int index = 0;
      ElementwiseLossRules::for_each([&]<template <typename> class Rule>() {
        const auto rule = made<T, Rule<T>>(catalog::Kind::loss);
        std::vector<T> own(z.size());
        const PartialLoss part =
            kernels.elementwise_loss[index++](&rule, {z.data(), rows, columns, columns}, targets.data(),
                                              class_weights.data(), uneven, own.data());
        own.push_back(static_cast<T>(part.loss));
        gradient.insert(gradient.end(), own.begin(), own.end());
      });
      return gradient;
    };
    PartialLoss expected{};
    const std::vector<T> gradients = run(tables[0], true, &expected);
    for (const Kernels<T>& kernels : tables) {
      CAPTURE(kernels.level);
      CAPTURE(size);
      PartialLoss found{}, without{};
      check_close(run(kernels, true, &found), gradients, 32);
      run(kernels, false, &without);
      CHECK(found.loss == without.loss);
      CHECK(found.loss == doctest::Approx(expected.loss).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-13));
      CHECK(found.correct == expected.correct);
      CHECK(found.correct_top5 == expected.correct_top5);
      CHECK(found.correct == without.correct);
    }
  }
}

TEST_CASE_TEMPLATE("levels: accumulation", T, float, double) {
  const auto tables = levels<T>();
  for (std::size_t size : sizes) {
    const auto count = static_cast<std::int64_t>(size);
    const auto run = [&](const Kernels<T>& kernels, double* squares) {
      auto gradient = numbers<T>(size, 1);
      std::vector<T> sum(size, std::numeric_limits<T>::quiet_NaN());  // the first part writes over it
      kernels.accumulate(gradient.data(), T(3), true, sum.data(), count);
      kernels.accumulate(gradient.data(), T(2), false, sum.data(), count);
      *squares = kernels.finish_sum(sum.data(), T(5), T(0.5), gradient.data(), count);
      auto average = numbers<T>(size, 2);
      kernels.moving_average(gradient.data(), T(0.25), average.data(), count);
      gradient.insert(gradient.end(), average.begin(), average.end());
      return gradient;
    };
    const auto given = numbers<T>(size, 1), before = numbers<T>(size, 2);
    std::vector<T> expected(2 * size);
    double expected_squares = 0;
    for (std::size_t i = 0; i < size; ++i) {
      expected[i] = 5 * given[i];
      expected[size + i] = T(0.75) * before[i] + T(0.25) * expected[i];
      expected_squares += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    }
    for (const Kernels<T>& kernels : tables) {
      CAPTURE(kernels.level);
      CAPTURE(size);
      double squares = 0;
      check_close(run(kernels, &squares), expected, 16);
      CHECK(squares == doctest::Approx(expected_squares).epsilon(sizeof(T) == 4 ? 1e-4 : 1e-12));
    }
  }
}

TEST_CASE_TEMPLATE("levels: updates", T, float, double) {
  const auto tables = levels<T>();
  for (std::size_t table = 1; table < tables.size(); ++table) {
    CAPTURE(tables[table].level);
    int index = 0;
    UpdateRules::for_each([&]<template <typename> class Rule>() {
      CAPTURE(Rule<T>::name);
      const auto rule = made<T, Rule<T>>(catalog::Kind::optimizer, std::int64_t{3});
      for (std::size_t size : {std::size_t{1}, std::size_t{17}, std::size_t{5000}}) {
        PartialUpdate sums{};
        const auto run = [&](const Kernels<T>& kernels) {
          auto theta = numbers<T>(size, 7);
          const auto g = numbers<T>(size, 8);
          std::vector<T> ahead(size), slots[4];
          Penalty<T> penalty;
          penalty.scale = T(0.5);
          penalty.l2 = T(0.1);
          UpdateRange<T> range{theta.data(), g.data(), ahead.data(), {},  static_cast<std::int64_t>(size),
                               penalty,      true,     T(1),         T(1)};
          for (int slot = 0; slot < 4; ++slot) {
            slots[slot] = numbers<T>(size, 9 + static_cast<unsigned>(slot));
            for (T& value : slots[slot]) value = std::fabs(value);
            range.slots[slot] = slots[slot].data();
          }
          const auto& loops = kernels.updates[index];
          if (loops.look_ahead != nullptr) loops.look_ahead(&rule, range);
          sums = loops.update(&rule, range);
          for (const auto& more : {ahead, slots[0], slots[1], slots[2]})
            theta.insert(theta.end(), more.begin(), more.end());
          return theta;
        };
        const std::vector<T> expected = run(tables[0]);
        const PartialUpdate expected_sums = sums;
        check_close(run(tables[table]), expected, 16);
        const double relative = sizeof(T) == 4 ? 1e-4 : 1e-12;
        CHECK(sums.weight_squares == doctest::Approx(expected_sums.weight_squares).epsilon(relative));
        CHECK(sums.update_squares == doctest::Approx(expected_sums.update_squares).epsilon(relative));
      }
      ++index;
    });
  }
}

TEST_CASE_TEMPLATE("levels: normalization", T, float, double) {
  const auto tables = levels<T>();
  constexpr std::int64_t rows = 37;  // more than sums in T are over
  for (std::size_t table = 1; table < tables.size(); ++table) {
    CAPTURE(tables[table].level);
    for (std::size_t size : sizes) {
      CAPTURE(size);
      const auto columns = static_cast<std::int64_t>(size);
      const std::size_t count = rows * size;
      auto x = numbers<T>(count, 1);
      for (T& value : x) value += T(1);
      const auto g = numbers<T>(count, 2), scale = numbers<T>(size + rows, 3), centre = numbers<T>(size, 4);
      const auto mean = numbers<T>(size, 5), sums = numbers<T>(size, 6);
      const std::vector<T> variance(size, T(0.5));
      const ColumnNorm<T> norm{mean.data(), variance.data(), scale.data(), centre.data(), T(0.1)};
      const Block<const T> block{x.data(), rows, columns, columns};
      const auto run = [&](const Kernels<T>& kernels) {
        std::vector<T> all;
        std::vector<T> output(count), values(2 * size + rows);
        std::vector<double> totals(2 * size);
        const auto keep = [&](const auto& some) {
          for (const auto value : some) all.push_back(static_cast<T>(value));
        };
        kernels.column_moments(block, totals.data(), totals.data() + size, nullptr);
        keep(totals);
        for (const char* name : {"identity", "relu"}) {
          const RuleObject rule = make_rule<ActivationRules, T>(name, Values{});
          for (const T* add : {static_cast<const T*>(nullptr), g.data()}) {
            kernels.normalize_columns[rule.index](rule.get(), block, norm, add, output.data());
            keep(output);
          }
        }
        kernels.column_norm_sums(block, g.data(), norm, totals.data(), totals.data() + size);
        keep(totals);
        kernels.column_norm_gradient(block, g.data(), norm, sums.data(), centre.data(), T(rows),
                                     output.data());
        keep(output);
        kernels.normalize_block(block, scale.data(), centre.data(), T(0.1), output.data(), values.data(),
                                values.data() + 1);
        keep(output);
        kernels.block_norm_gradient(block, g.data(), scale.data(), T(1), T(0.7), output.data(), totals.data(),
                                    totals.data() + size);
        keep(output);
        keep(totals);
        kernels.affine(x.data(), T(0.3), T(2), output.data(), static_cast<std::int64_t>(count));
        keep(output);
        kernels.normalize_weight(block, scale.data(), output.data());
        keep(output);
        kernels.weight_norm_gradient(block, scale.data(), g.data(), output.data(), values.data());
        keep(output);
        keep(values);
        return all;
      };
      check_close(run(tables[table]), run(tables[0]), 64);
    }
  }
}

}  // namespace ravine::cpu
