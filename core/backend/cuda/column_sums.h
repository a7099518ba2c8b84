// The second pass of pairs of sums over the rows of columns (column_grid.h), and what is measured of them.
#pragma once

#include "backend/cuda/column_grid.h"
#include "backend/cuda/measure.h"

namespace ravine::cuda {

// Adds up the parts; the first sum by 1 / sqrt(variance + epsilon) where there is a variance.
template <typename T>
struct AddColumnParts {
  ColumnParts all;
  const double* parts;
  const T* variance;
  T epsilon;
  T* first;  // may be absent, as the second
  T* second;

  struct Shared {
    double firsts[block_threads];
    double seconds[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const std::int64_t column = all.column(block, thread);
      double a = 0;
      double b = 0;
      for (std::int64_t part = thread / all.lanes; column < all.columns && part < all.count;
           part += block_threads / all.lanes) {
        const double* from = parts + part * 2 * all.columns + column;
        a += from[0];
        b += from[all.columns];
      }
      shared.firsts[thread] = a;
      shared.seconds[thread] = b;
    });
    reduce_rows(block, shared.firsts, all.lanes, Sum{});
    reduce_rows(block, shared.seconds, all.lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t column = all.column(block, thread);
      if (thread >= all.lanes || column >= all.columns) return;
      double a = shared.firsts[thread];
      const double b = shared.seconds[thread];
      if (variance != nullptr) a *= static_cast<double>(T(1) / square_root(variance[column] + epsilon));
      if (first != nullptr) first[column] = static_cast<T>(a);
      if (second != nullptr) second[column] = static_cast<T>(b);
    });
  }
};

// Such a pair of sums, and what is measured of it: what operations hold.
class ColumnSumPairs {
 public:
  ColumnSumPairs(const Preparation& preparation, const ColumnGrid& grid, const Observation& of_first,
                 const Observation& of_second)
      : stream_(preparation.stream),
        grid_(grid),
        parts_(stream_, static_cast<std::size_t>(2 * grid.parts() * grid.columns)),
        first_(preparation, of_first, grid.columns),
        second_(preparation, of_second, grid.columns) {}

  template <typename T, typename Values>
  void run(const Values& values, const T* variance, T epsilon, T* first, T* second,
           const RunContext& context) const noexcept {
    for_blocks(stream_, grid_.blocks(), SumColumnPairs<T, Values>{grid_, values, parts_.data()});
    const ColumnParts all(grid_);
    for_blocks(stream_, all.blocks(),
               AddColumnParts<T>{all, parts_.data(), variance, epsilon, first, second});
    first_.see<T>(first, context);
    second_.see<T>(second, context);
  }

 private:
  Stream& stream_;
  ColumnGrid grid_;
  Array<double> parts_;
  Observer first_;
  Observer second_;
};

}  // namespace ravine::cuda
