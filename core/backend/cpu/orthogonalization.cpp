#include "backend/cpu/orthogonalization.h"

#include <algorithm>
#include <cmath>

#include "rules/newton_schulz.h"

namespace ravine::cpu {
namespace {

// How long tiles along an extent are: an eighth of it, but no shorter than a product is efficient with, and
// no longer than many workers can share.
std::int64_t block_of(std::int64_t extent) {
  constexpr std::int64_t granule = 16;  // a vector register of float32
  const std::int64_t share = std::clamp<std::int64_t>((extent + 7) / 8, 64, 128);
  return (share + granule - 1) / granule * granule;
}

bool equal(const ProductShape& a, const ProductShape& b) {
  return a.m == b.m && a.n == b.n && a.k == b.k;  // the rest is the same for all tiles of a product
}

// Copies what lies right of a block on the diagonal to below it.
template <typename T>
void mirror(T* values, std::int64_t n, std::int64_t begin, std::int64_t length) noexcept {
  for (std::int64_t column = begin + length; column < n; ++column) {
    for (std::int64_t row = begin; row < begin + length; ++row) {
      values[column * n + row] = values[row * n + column];
    }
  }
}

// output <- left input + right output, over a block of two matrices of one stride.
template <typename T>
void combine(T left, const T* input, T right, T* output, std::int64_t rows, std::int64_t columns,
             std::int64_t stride) noexcept {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* __restrict from = input + row * stride;
    T* __restrict to = output + row * stride;
    for (std::int64_t i = 0; i < columns; ++i) to[i] = left * from[i] + right * to[i];
  }
}

}  // namespace

template <typename T>
Orthogonalization<T>::Orthogonalization(const std::vector<MatrixExtents>& matrices, int workers) {
  for (const MatrixExtents& extents : matrices) {
    const bool tall = extents.rows > extents.columns;
    const std::int64_t n = std::min(extents.rows, extents.columns);
    const std::int64_t count = extents.rows * extents.columns;
    const std::size_t index = matrices_.size();
    matrices_.push_back({extents, tall, n, T(1), AlignedArray<T>(count), AlignedArray<T>(count),
                         AlignedArray<T>(n * n), AlignedArray<T>(n * n)});
    add(gram_, index, n, workers, [](const Matrix& m, std::int64_t begin, std::int64_t length) {
      const std::int64_t stride = m.extents.columns;
      const std::int64_t k = std::max(m.extents.rows, m.extents.columns);
      return ProductShape{length, m.n - begin, k, m.tall, !m.tall, stride, stride, m.n};
    });
    add(polynomial_, index, n, workers, [](const Matrix& m, std::int64_t begin, std::int64_t length) {
      return ProductShape{length, m.n - begin, m.n, false, false, m.n, m.n, m.n};
    });
    add(next_, index, tall ? extents.rows : extents.columns, workers,
        [](const Matrix& m, std::int64_t, std::int64_t length) {
          const std::int64_t stride = m.extents.columns;
          return m.tall ? ProductShape{length, m.n, m.n, false, false, stride, m.n, stride}
                        : ProductShape{m.n, length, m.n, false, false, m.n, stride, stride};
        });
  }
  for (Stage* stage : {&gram_, &polynomial_, &next_}) {
    double total = 0;
    for (const Tile& tile : *stage) total += tile.cost;
    double before = 0;
    for (Tile& tile : *stage) {
      tile.place = (before + tile.cost / 2) / total;
      before += tile.cost;
    }
  }
}

template <typename T>
void Orthogonalization<T>::add(Stage& stage, std::size_t matrix, std::int64_t extent, int workers,
                               ProductShape (*shape_of)(const Matrix&, std::int64_t, std::int64_t)) {
  const std::int64_t block = block_of(extent);
  std::shared_ptr<ProductEngine<T>> engine;
  ProductShape before{};
  for (std::int64_t begin = 0; begin < extent; begin += block) {
    const std::int64_t length = std::min(block, extent - begin);
    const ProductShape shape = shape_of(matrices_[matrix], begin, length);
    if (!engine || !equal(shape, before)) engine = make_product<T>(shape, workers);
    before = shape;
    const double cost =
        static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
    stage.push_back({matrix, begin, length, engine, cost, 0});
  }
}

template <typename T>
void Orthogonalization<T>::set_squares(std::size_t index, double squares) {
  matrices_[index].scale = static_cast<T>(1 / std::max(std::sqrt(squares), NewtonSchulz::smallest_norm));
}

template <typename T>
template <typename Visit>
void Orthogonalization<T>::for_own(const Stage& stage, Worker& worker, Visit&& visit) noexcept {
  for (const Tile& tile : stage) {
    if (static_cast<int>(tile.place * worker.count) == worker.index) visit(tile);
  }
  worker.barrier();
}

template <typename T>
void Orthogonalization<T>::run(Worker& worker) noexcept {
  // X goes back and forth between two arrays so that it ends where it began.
  constexpr bool odd = NewtonSchulz::iterations % 2 == 1;
  const auto from = [](const Matrix& m, bool other) { return (other ? m.next : m.values).get(); };
  for_own(next_, worker, [&](const Tile& tile) { normalize(tile, from(matrices_[tile.matrix], odd)); });
  for (int iteration = 0; iteration < NewtonSchulz::iterations; ++iteration) {
    const bool other = odd == (iteration % 2 == 0);
    for_own(gram_, worker,
            [&](const Tile& tile) { compute_gram(tile, from(matrices_[tile.matrix], other), worker.index); });
    for_own(polynomial_, worker, [&](const Tile& tile) { compute_polynomial(tile, worker.index); });
    for_own(next_, worker, [&](const Tile& tile) {
      const Matrix& m = matrices_[tile.matrix];
      compute_next(tile, from(m, other), from(m, !other), worker.index);
    });
  }
}

template <typename T>
void Orthogonalization<T>::normalize(const Tile& tile, T* target) noexcept {
  const Matrix& m = matrices_[tile.matrix];
  const std::int64_t stride = m.extents.columns;
  const std::int64_t offset = m.tall ? tile.begin * stride : tile.begin;
  const std::int64_t rows = m.tall ? tile.length : m.n;
  const std::int64_t columns = m.tall ? m.n : tile.length;
  const T* values = m.values.get() + offset;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < columns; ++i) {
      target[offset + row * stride + i] = m.scale * values[row * stride + i];
    }
  }
}

template <typename T>
void Orthogonalization<T>::compute_gram(const Tile& tile, const T* x, int worker) noexcept {
  const Matrix& m = matrices_[tile.matrix];
  const T* part = x + (m.tall ? tile.begin : tile.begin * m.extents.columns);
  tile.engine->run(worker, part, part, m.gram.get() + tile.begin * (m.n + 1));
  mirror(m.gram.get(), m.n, tile.begin, tile.length);
}

template <typename T>
void Orthogonalization<T>::compute_polynomial(const Tile& tile, int worker) noexcept {
  const Matrix& m = matrices_[tile.matrix];
  const T* a = m.gram.get();
  const std::int64_t diagonal = tile.begin * (m.n + 1);
  T* b = m.polynomial.get() + diagonal;
  tile.engine->run(worker, a + tile.begin * m.n, a + tile.begin, b);
  combine(T(NewtonSchulz::b), a + diagonal, T(NewtonSchulz::c), b, tile.length, m.n - tile.begin, m.n);
  mirror(m.polynomial.get(), m.n, tile.begin, tile.length);
}

template <typename T>
void Orthogonalization<T>::compute_next(const Tile& tile, const T* x, T* next, int worker) noexcept {
  const Matrix& m = matrices_[tile.matrix];
  const std::int64_t stride = m.extents.columns;
  const T* b = m.polynomial.get();
  const std::int64_t offset = m.tall ? tile.begin * stride : tile.begin;
  tile.engine->run(worker, m.tall ? x + offset : b, m.tall ? b : x + offset, next + offset);
  combine(T(NewtonSchulz::a), x + offset, T(1), next + offset, m.tall ? tile.length : m.n,
          m.tall ? m.n : tile.length, stride);
}

template class Orthogonalization<float>;
template class Orthogonalization<double>;

}  // namespace ravine::cpu
