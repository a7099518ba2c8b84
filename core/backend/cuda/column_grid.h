// Kernels over the columns of matrices whose rows are many: a thread keeps to a pack of neighbouring columns
// and goes down the rows of a part, so that what belongs to columns is read once, and warps read whole lines.
#pragma once

#include <algorithm>

#include "backend/cuda/cells.h"
#include "backend/cuda/launch.h"

namespace ravine::cuda {

// The cut of a matrix into blocks; by its shape alone, so that sums over parts are the same on every card.
struct ColumnGrid {
  static constexpr int most_lanes = 4;  // packs of float: 128 bytes, a line of the cache
  static constexpr std::int64_t least_rows = 4;
  static constexpr std::int64_t most_blocks = 1024;

  ColumnGrid(std::int64_t rows, std::int64_t columns, int pack) : rows(rows), columns(columns), pack(pack) {
    const std::int64_t packs = (columns + pack - 1) / pack;
    while (lanes < most_lanes && lanes < packs) lanes *= 2;
    tiles = (packs + lanes - 1) / lanes;
    const std::int64_t most_parts = std::max<std::int64_t>(1, most_blocks / tiles);
    rows_of_part = std::max(least_rows * row_lanes(), (rows + most_parts - 1) / most_parts);
  }
  std::int64_t parts() const { return (rows + rows_of_part - 1) / rows_of_part; }
  std::int64_t blocks() const { return tiles * parts(); }

  // Threads that share columns, one row each at a time.
  RAVINE_HOST_DEVICE int row_lanes() const { return block_threads / lanes; }
  RAVINE_HOST_DEVICE std::int64_t part(const Block& block) const { return block.index / tiles; }
  RAVINE_HOST_DEVICE std::int64_t begin(const Block& block) const { return part(block) * rows_of_part; }
  RAVINE_HOST_DEVICE std::int64_t end(const Block& block) const {
    const std::int64_t end = begin(block) + rows_of_part;
    return end < rows ? end : rows;
  }
  RAVINE_HOST_DEVICE std::int64_t row(const Block& block, int thread) const {
    return begin(block) + thread / lanes;
  }
  RAVINE_HOST_DEVICE std::int64_t column(const Block& block, int thread) const {
    return (block.index % tiles * lanes + thread % lanes) * pack;
  }
  // How many columns a thread has from there on, at most a pack; none behind the last.
  RAVINE_HOST_DEVICE int count(std::int64_t column) const {
    const std::int64_t left = columns - column;
    return left >= pack ? pack : left > 0 ? static_cast<int>(left) : 0;
  }

  std::int64_t rows;
  std::int64_t columns;
  std::int64_t rows_of_part = 0;
  std::int64_t tiles = 0;
  int pack;
  int lanes = 1;
};

// Some neighbours of a row, at once where they are all there and lie well; the rest of the pack is 0.
template <typename T>
RAVINE_HOST_DEVICE Pack<T> load_columns(const Cells<T>& cells, std::int64_t first, int count, bool packed) {
  if (packed) return cells.load_pack(first);
  Pack<T> pack;
  for (int k = 0; k < Pack<T>::count; ++k) pack.values[k] = k < count ? cells.load(first + k) : T(0);
  return pack;
}
template <typename T>
RAVINE_HOST_DEVICE Pack<T> load_columns(const T* values, std::int64_t first, int count, T otherwise) {
  Pack<T> pack;
  for (int k = 0; k < Pack<T>::count; ++k) {
    pack.values[k] = values != nullptr && k < count ? values[first + k] : otherwise;
  }
  return pack;
}
template <typename T>
RAVINE_HOST_DEVICE void store_columns(const Cells<T>& cells, std::int64_t first, int count, bool packed,
                                      const Pack<T>& pack) {
  if (packed) return cells.store_pack(first, pack);
  for (int k = 0; k < Pack<T>::count; ++k) {
    if (k < count) cells.store(first + k, pack.values[k]);
  }
}

// Whether the rows of all these tensors can be had by packs.
template <typename T, typename... Tensors>
bool are_packed(std::int64_t columns, const Tensors&... tensors) {
  return columns % Pack<T>::count == 0 && (... && tensors.is_aligned());
}

// Combines what the threads of a column have found, `lanes` columns beside each other, in that of row lane 0.
template <typename Value, typename Combine>
RAVINE_HOST_DEVICE void reduce_rows(const Block& block, Value* values, int lanes, const Combine& combine) {
  for (int half = block_threads / lanes / 2; half > 0; half /= 2) {
    block.each([&](int thread) {
      if (thread / lanes < half) values[thread] = combine(values[thread], values[thread + half * lanes]);
    });
  }
}

// Two numbers of each column, in parts [part][which][column]. Values says what they are:
//   Own own(row, column, count): what a thread keeps of its columns, `row` its first;
//   void add(own, row, column, count, firsts, seconds): the two summands of a row, which are added in T;
//   void finish(own, k, rows, first, second): from the sums of a thread over so many rows to its numbers;
//   void merge(rows, more, first, second, other_first, other_second): with the numbers of `more` other rows.
template <typename T, typename Values>
struct SumColumnPairs {
  static constexpr int pack = Pack<T>::count;
  static constexpr int rows_of_sum = 16;  // in T; their sums are added in double

  ColumnGrid grid;
  Values values;
  double* parts;

  struct Shared {
    double rows[block_threads];
    double firsts[pack * block_threads];
    double seconds[pack * block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      double firsts[pack] = {};
      double seconds[pack] = {};
      shared.rows[thread] = sum(block, thread, firsts, seconds);
      for (int k = 0; k < pack; ++k) {
        shared.firsts[k * block_threads + thread] = firsts[k];
        shared.seconds[k * block_threads + thread] = seconds[k];
      }
    });
    for (int half = grid.row_lanes() / 2; half > 0; half /= 2) {
      block.each([&](int thread) {
        if (thread / grid.lanes >= half) return;
        const int other = thread + half * grid.lanes;
        const double rows = shared.rows[thread];
        const double more = shared.rows[other];
        if (more == 0) return;
        for (int k = 0; k < pack * block_threads; k += block_threads) {
          values.merge(rows, more, shared.firsts[k + thread], shared.seconds[k + thread],
                       shared.firsts[k + other], shared.seconds[k + other]);
        }
        shared.rows[thread] = rows + more;
      });
    }
    block.each([&](int thread) {
      const std::int64_t column = grid.column(block, thread);
      double* to = parts + grid.part(block) * 2 * grid.columns + column;
      for (int k = 0; thread < grid.lanes && k < grid.count(column); ++k) {
        to[k] = shared.firsts[k * block_threads + thread];
        to[grid.columns + k] = shared.seconds[k * block_threads + thread];
      }
    });
  }

 private:
  // How many rows there were.
  RAVINE_HOST_DEVICE double sum(const Block& block, int thread, double* all_firsts,
                                double* all_seconds) const {
    const std::int64_t column = grid.column(block, thread);
    const int count = grid.count(column);
    const std::int64_t end = grid.end(block);
    std::int64_t row = grid.row(block, thread);
    if (count == 0 || row >= end) return 0;
    const auto own = values.own(row, column, count);
    std::int64_t rows = 0;
    while (row < end) {
      T firsts[pack] = {};
      T seconds[pack] = {};
      for (int step = 0; step < rows_of_sum && row < end; ++step, ++rows, row += grid.row_lanes()) {
        values.add(own, row, column, count, firsts, seconds);
      }
      for (int k = 0; k < pack; ++k) {
        all_firsts[k] += static_cast<double>(firsts[k]);
        all_seconds[k] += static_cast<double>(seconds[k]);
      }
    }
    const auto found = static_cast<double>(rows);
    for (int k = 0; k < pack; ++k) values.finish(own, k, found, all_firsts[k], all_seconds[k]);
    return found;
  }
};

// For what is a sum.
struct AddsPairs {
  template <typename Own>
  RAVINE_HOST_DEVICE void finish(const Own&, int, double, double&, double&) const {}
  RAVINE_HOST_DEVICE void merge(double, double, double& first, double& second, double other_first,
                                double other_second) const {
    first += other_first;
    second += other_second;
  }
};

// How the parts of columns are put together: a block takes some columns, each by several threads.
struct ColumnParts {
  ColumnParts(const ColumnGrid& grid) : columns(grid.columns), count(grid.parts()) {
    while (lanes < 32 && lanes < columns) lanes *= 2;
  }
  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  RAVINE_HOST_DEVICE std::int64_t column(const Block& block, int thread) const {
    return block.index * lanes + thread % lanes;
  }

  std::int64_t columns;
  std::int64_t count;
  int lanes = 1;
};

}  // namespace ravine::cuda
