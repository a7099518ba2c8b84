// Newton-Schulz iterations (rules/newton_schulz.h) on some matrices together, by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/aligned_array.h"
#include "backend/cpu/product_engine.h"

namespace ravine::cpu {

struct MatrixExtents {
  std::int64_t rows;
  std::int64_t columns;
};

template <typename T>
class Orthogonalization {
 public:
  // All memory is taken here; a run takes none.
  Orthogonalization(const std::vector<MatrixExtents>& matrices, int workers);

  // Where a matrix lies before and after a run, row by row.
  T* matrix(std::size_t index) const { return matrices_[index].values.get(); }
  // The sum of its squares, given before a run by one worker.
  void set_squares(std::size_t index, double squares);
  // Every worker calls it after a barrier; it ends with one.
  void run(Worker& worker) noexcept;

 private:
  // With n the smaller extent: A = X X^T (or X^T X where there are more rows than columns), n by n,
  // B = b A + c A A, and the next X = a X + B X (or a X + X B).
  struct Matrix {
    MatrixExtents extents;
    bool tall;
    std::int64_t n;
    T scale;
    AlignedArray<T> values;  // X
    AlignedArray<T> next;
    AlignedArray<T> gram;        // A
    AlignedArray<T> polynomial;  // B
  };
  // A part of one product. Those of symmetric results are some rows, from the diagonal on.
  struct Tile {
    std::size_t matrix;
    std::int64_t begin;
    std::int64_t length;
    std::shared_ptr<ProductEngine<T>> engine;
    double cost;
    double place;  // 0 .. 1: how much of the stage's work lies before its middle
  };
  using Stage = std::vector<Tile>;

  void add(Stage& stage, std::size_t matrix, std::int64_t extent, int workers,
           ProductShape (*shape)(const Matrix&, std::int64_t begin, std::int64_t length));
  // Workers share a stage by the work of its tiles, which lie one behind the other.
  template <typename Visit>
  void for_own(const Stage& stage, Worker& worker, Visit&& visit) noexcept;
  void normalize(const Tile& tile, T* target) noexcept;
  void compute_gram(const Tile& tile, const T* x, int worker) noexcept;
  void compute_polynomial(const Tile& tile, int worker) noexcept;
  void compute_next(const Tile& tile, const T* x, T* next, int worker) noexcept;

  std::vector<Matrix> matrices_;
  Stage gram_;
  Stage polynomial_;
  Stage next_;
};

}  // namespace ravine::cpu
