// Operations over rows or blocks whose tiles leave sums, kept apart, in double, and put together in tile
// order.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/cpu/loop_operation.h"

namespace ravine::cpu {

// Tiles that keep sums of their own are at most so many.
inline constexpr std::int64_t most_summing_tiles = 64;

inline void limit(Cut& cut, std::int64_t tiles) {
  cut.block = std::max(cut.block, (cut.extent + tiles - 1) / tiles);
}

// A pair of sums for each column and tile.
class PairedSums {
 public:
  PairedSums(int tiles, std::int64_t columns)
      : tiles_(tiles), columns_(columns), values_(static_cast<std::size_t>(2 * columns * tiles)) {}

  double* first(int tile) { return values_.data() + 2 * columns_ * tile; }
  double* second(int tile) { return first(tile) + columns_; }

  int tiles() const { return tiles_; }
  std::int64_t columns() const { return columns_; }

  // Adds up, into the place of the first tile; writes the totals, where they are wanted, and their sums of
  // squares.
  template <typename T>
  void total(T* first_total, T* second_total, double& first_squares, double& second_squares) {
    double* sums = first(0);
    for (int tile = 1; tile < tiles_; ++tile) {
      for (std::int64_t i = 0; i < 2 * columns_; ++i) sums[i] += first(tile)[i];
    }
    first_squares = write(first(0), first_total);
    second_squares = write(second(0), second_total);
  }

 private:
  template <typename T>
  double write(const double* sums, T* totals) const {
    double squares = 0;
    for (std::int64_t i = 0; i < columns_; ++i) {
      if (totals != nullptr) totals[i] = static_cast<T>(sums[i]);
      squares += sums[i] * sums[i];
    }
    return squares;
  }

  int tiles_;
  std::int64_t columns_;
  std::vector<double> values_;
};

// All tiles, then one that sums over them in their order.
template <typename Base>
class SummingOperation : public Base {
 public:
  using Base::Base;
  int stages() const override { return finishes() ? 2 : 1; }
  int tiles_of(int stage) const override { return stage == 0 ? this->tiles() : 1; }
  int heaviest_stage() const override { return 0; }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == 0) {
      this->run(tile, worker, context);
    } else {
      finish();
    }
  }

 protected:
  virtual bool finishes() const { return true; }
  virtual void finish() noexcept = 0;
};

// Rows of a matrix, cut into tiles.
template <typename T>
class RowOperation : public LoopOperation<T> {
 public:
  RowOperation(const Tensor& tensor, const PointerTable& pointers, bool sums = false)
      : LoopOperation<T>(pointers, rows_of(tensor), columns_of(tensor)), columns_(columns_of(tensor)) {
    if (sums) limit(this->cut_, most_summing_tiles);
  }
  // Tiles of so many samples; 0 for tiles of our own.
  RowOperation(const Tensor& tensor, const PointerTable& pointers, const Program& program,
               std::int64_t samples)
      : LoopOperation<T>(pointers, program, rows_of(tensor), columns_of(tensor), samples),
        columns_(columns_of(tensor)) {}

 protected:
  T* rows_from(TensorId id, int tile) const {
    return id == no_tensor ? nullptr : this->at(id) + this->cut_.begin(tile) * columns_;
  }
  Block<const T> block(TensorId id, int tile) const {
    return {rows_from(id, tile), this->cut_.length(tile), columns_, columns_};
  }

  std::int64_t columns_;
};

}  // namespace ravine::cpu
