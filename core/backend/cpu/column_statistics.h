// What batch normalization sums over rows: each tile leaves its part of every column, in double, and the
// parts are put together in tile order.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/cpu/measure.h"
#include "backend/cpu/summing_operation.h"

namespace ravine::cpu {

// Mean and biased variance of each column.
template <typename T>
class MomentsOfColumns {
 public:
  MomentsOfColumns(int tiles, std::int64_t columns)
      : parts_(tiles, columns), rows_(static_cast<std::size_t>(tiles)) {}

  // Counts zeros where that is asked for.
  void see(int tile, Block<const T> block, std::int64_t* zeros) noexcept {
    rows_[static_cast<std::size_t>(tile)] = static_cast<double>(block.rows);
    kernels<T>().column_moments(block, parts_.first(tile), parts_.second(tile), zeros);
  }
  // Of all columns of a tile together.
  PartialMoments together(int tile, std::int64_t zeros) noexcept {
    const double rows = rows_[static_cast<std::size_t>(tile)];
    const auto columns = static_cast<double>(parts_.columns());
    double mean = 0;
    for (std::int64_t i = 0; i < parts_.columns(); ++i) mean += parts_.first(tile)[i] / columns;
    double spread = 0;
    for (std::int64_t i = 0; i < parts_.columns(); ++i) {
      const double difference = parts_.first(tile)[i] - mean;
      spread += parts_.second(tile)[i] + rows * difference * difference;
    }
    return {rows * columns, mean, 0, spread, static_cast<double>(zeros)};
  }
  // By Chan, Golub and LeVeque (1983), into the place of the first tile.
  void total(Number<T>* mean, Number<T>* variance) noexcept {
    double* all_mean = parts_.first(0);
    double* all_spread = parts_.second(0);
    double count = rows_[0];
    for (int tile = 1; tile < parts_.tiles(); ++tile) {
      const double own = rows_[static_cast<std::size_t>(tile)];
      const double share = own / (count + own);
      for (std::int64_t i = 0; i < parts_.columns(); ++i) {
        const double difference = parts_.first(tile)[i] - all_mean[i];
        all_spread[i] += parts_.second(tile)[i] + difference * difference * count * share;
        all_mean[i] += difference * share;
      }
      count += own;
    }
    for (std::int64_t i = 0; i < parts_.columns(); ++i) {
      mean[i] = static_cast<Number<T>>(all_mean[i]);
      variance[i] = static_cast<Number<T>>(all_spread[i] / count);
    }
  }

 private:
  PairedSums parts_;
  std::vector<double> rows_;
};

// The sums of a ColumnNormalizationSums, whose squares are measured.
template <typename T>
class GradientSumsOfColumns {
 public:
  GradientSumsOfColumns(const ColumnNormalizationSums& o, int tiles, std::int64_t columns)
      : epsilon_(static_cast<Number<T>>(o.epsilon)),
        parts_(tiles, columns),
        scale_observer_(o.observe_scale, 1),
        centre_observer_(o.observe_centre, 1) {}

  void clear(int tile) noexcept { std::fill_n(parts_.first(tile), 2 * parts_.columns(), 0.0); }
  void add(int tile, Block<const T> input, const T* output_gradient, const Number<T>* mean,
           const Number<T>* variance) noexcept {
    kernels<T>().column_norm_sums(input, output_gradient, {mean, variance, nullptr, nullptr, epsilon_},
                                  parts_.first(tile), parts_.second(tile));
  }
  void total(Number<T>* scale_gradient, Number<T>* centre_gradient) noexcept {
    double squares[2];
    parts_.total(scale_gradient, centre_gradient, squares[0], squares[1]);
    scale_observer_.set_squares(0, squares[0]);
    centre_observer_.set_squares(0, squares[1]);
  }
  void collect(Measurements& measurements) const noexcept {
    scale_observer_.collect(measurements);
    centre_observer_.collect(measurements);
  }

 private:
  Number<T> epsilon_;
  PairedSums parts_;
  Observer<T> scale_observer_;
  Observer<T> centre_observer_;
};

}  // namespace ravine::cpu
