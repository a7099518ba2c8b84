// Kernels that go row by row: a block takes several rows, each by as many threads as suit its length.
#pragma once

#include <limits>

#include "backend/cuda/launch.h"
#include "rules/elementary.h"

namespace ravine::cuda {

struct Rows {
  Rows(std::int64_t rows, std::int64_t columns) : rows(rows), columns(columns) {
    while (lanes < block_threads && lanes < columns) lanes *= 2;
  }
  std::int64_t blocks() const { return (rows + of_block() - 1) / of_block(); }
  RAVINE_HOST_DEVICE int of_block() const { return block_threads / lanes; }
  // The row of a thread, which may lie behind the last, and its place among the row's threads.
  RAVINE_HOST_DEVICE std::int64_t row(const Block& block, int thread) const {
    return block.index * of_block() + thread / lanes;
  }
  RAVINE_HOST_DEVICE int lane(int thread) const { return thread % lanes; }
  // The thread that has the result of a reduction over the row of this one.
  RAVINE_HOST_DEVICE int first(int thread) const { return thread - thread % lanes; }

  std::int64_t rows;
  std::int64_t columns;
  int lanes = 1;
};

// Of comparisons with NaN none holds: it stays where it was first, and the sums show it in any case.
struct Larger {
  template <typename T>
  RAVINE_HOST_DEVICE T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

// Leaves the largest value of each row of the block in values[first(thread)].
template <typename T>
RAVINE_HOST_DEVICE void find_largest(const Block& block, const Rows& rows, const T* matrix, T* values) {
  block.each([&](int thread) {
    const std::int64_t row = rows.row(block, thread);
    T largest = -std::numeric_limits<T>::infinity();
    for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
      largest = Larger{}(largest, matrix[row * rows.columns + i]);
    }
    values[thread] = largest;
  });
  reduce(block, values, rows.lanes, Larger{});
}

}  // namespace ravine::cuda
