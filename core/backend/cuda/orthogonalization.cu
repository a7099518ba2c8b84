#include "backend/cuda/orthogonalization.h"

#include <algorithm>

#include "backend/cuda/launch.h"
#include "backend/cuda/own_product.h"
#include "base/errors.h"
#include "rules/elementary.h"
#include "rules/newton_schulz.h"

namespace ravine::cuda {
namespace {

// left times right, row by row, in full precision.
template <typename T>
class PlainMatrixProduct {
 public:
  PlainMatrixProduct(Stream& stream, const RowMajorProduct& product) {
    if (is_small(product)) {
      own_ = make_own_product<T>(stream, product, false, nullptr, nullptr);
      return;
    }
    const DType dtype = sizeof(T) == 8 ? DType::float64 : DType::float32;
    constexpr std::uint32_t alignment = 64;  // all begin at such places
    library_ = make_library_product(stream, {product.transposed(), dtype, dtype, false, ProductEpilogue::none,
                                             alignment, alignment, alignment, 0});
    if (library_ == nullptr) {
      throw Error(ErrorCode::internal, library_name() + " has no algorithm for a product");
    }
  }
  void run(T* left, T* right, T* output) const noexcept {
    if (library_ != nullptr) return library_->run(right, left, output, nullptr);
    own_->run({{left}, {right}, nullptr, {}, {}, {output}, nullptr});
  }

 private:
  std::unique_ptr<OwnProduct<T>> own_;
  std::unique_ptr<LibraryProduct> library_;
};

// to = from / |from|.
template <typename T>
struct NormalizeMatrix {
  const T* from;
  const double* squares;
  T* to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const double norm = square_root(*squares);
    to[i] = static_cast<T>(1 / larger(norm, NewtonSchulz::smallest_norm)) * from[i];
  }
};

// to = left from + right to.
template <typename T>
struct CombineMatrices {
  T left;
  const T* from;
  T right;
  T* to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { to[i] = left * from[i] + right * to[i]; }
};

}  // namespace

// With n the smaller extent: A = X X^T (or X^T X where there are more rows than columns), n by n,
// B = b A + c A A, and the next X = a X + B X (or a X + X B).
template <typename T>
class Orthogonalization<T>::Matrix {
 public:
  Matrix(Stream& stream, const Extents& extents, std::int64_t begin)
      : stream_(stream),
        extents_(extents),
        begin_(begin),
        tall_(extents.rows > extents.columns),
        n_(std::min(extents.rows, extents.columns)),
        gram_(stream, static_cast<std::size_t>(n_ * n_)),
        polynomial_(stream, static_cast<std::size_t>(n_ * n_)),
        of_gram_(stream, {n_, n_, std::max(extents.rows, extents.columns), tall_, !tall_}),
        of_polynomial_(stream, {n_, n_, n_, false, false}),
        of_next_(stream, {extents.rows, extents.columns, n_, false, false}) {}

  std::int64_t begin() const { return begin_; }

  // X goes back and forth between two arrays, so that it ends where it began.
  void run(T* values, T* others, const double* squares) noexcept {
    constexpr bool odd = NewtonSchulz::iterations % 2 == 1;
    const std::int64_t elements = extents_.rows * extents_.columns;
    T* x = (odd ? others : values) + begin_;
    T* next = (odd ? values : others) + begin_;
    for_each(stream_, elements, NormalizeMatrix<T>{values + begin_, squares + extents_.squares, x});
    T* const a = gram_.data();
    T* const b = polynomial_.data();
    for (int iteration = 0; iteration < NewtonSchulz::iterations; ++iteration) {
      of_gram_.run(x, x, a);
      of_polynomial_.run(a, a, b);
      for_each(stream_, n_ * n_, CombineMatrices<T>{T(NewtonSchulz::b), a, T(NewtonSchulz::c), b});
      tall_ ? of_next_.run(x, b, next) : of_next_.run(b, x, next);
      for_each(stream_, elements, CombineMatrices<T>{T(NewtonSchulz::a), x, T(1), next});
      std::swap(x, next);
    }
  }

 private:
  Stream& stream_;
  Extents extents_;
  std::int64_t begin_;
  bool tall_;
  std::int64_t n_;
  Array<T> gram_;        // A
  Array<T> polynomial_;  // B
  PlainMatrixProduct<T> of_gram_;
  PlainMatrixProduct<T> of_polynomial_;
  PlainMatrixProduct<T> of_next_;
};

template <typename T>
Orthogonalization<T>::Orthogonalization(Stream& stream, const std::vector<Extents>& matrices)
    : stream_(stream) {
  constexpr std::int64_t granule = 64;  // elements: each begins where products like it
  std::int64_t elements = 0;
  for (const Extents& extents : matrices) {
    all_.push_back(std::make_unique<Matrix>(stream, extents, elements));
    elements += (extents.rows * extents.columns + granule - 1) / granule * granule;
  }
  values_ = Array<T>(stream, static_cast<std::size_t>(elements));
  others_ = Array<T>(stream, static_cast<std::size_t>(elements));
}

template <typename T>
Orthogonalization<T>::~Orthogonalization() = default;

template <typename T>
T* Orthogonalization<T>::matrices() const {
  return values_.data();
}

template <typename T>
std::int64_t Orthogonalization<T>::begin(std::size_t matrix) const {
  return all_[matrix]->begin();
}

template <typename T>
void Orthogonalization<T>::run(const double* squares) noexcept {
  for (const auto& matrix : all_) matrix->run(values_.data(), others_.data(), squares);
}

template class Orthogonalization<float>;
template class Orthogonalization<double>;

}  // namespace ravine::cuda
