// Matrix products of a library: cuBLASLt on a GPU (device/), plain loops in the twin.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/cuda/stream.h"

namespace ravine::cuda {

// c[m, n] = a[m, k] b[k, n], all column by column as such libraries have it, either factor transposed where
// said; the strides are in elements, between columns as they lie in memory.
struct ColumnMajorProduct {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  std::int64_t a_stride, b_stride, c_stride;
};

// A matrix row by row is its transpose column by column: output = left right is output^T = right^T left^T.
struct RowMajorProduct {
  std::int64_t m, n, k;
  bool transpose_left, transpose_right;

  ColumnMajorProduct transposed() const {
    return {n, m, k, transpose_right, transpose_left, transpose_right ? k : n, transpose_left ? m : k, n};
  }
};

template <typename T>
class LibraryProduct {
 public:
  virtual ~LibraryProduct() = default;
  // `bias`, of m values, is added to each column of c; null for none.
  virtual void run(const T* a, const T* b, const T* bias, T* c) noexcept = 0;
};

// Whether a library's products add a bias at this address themselves.
template <typename T>
bool adds_bias(const T* bias);

template <typename T>
std::unique_ptr<LibraryProduct<T>> make_library_product(Stream& stream, const ColumnMajorProduct& product);

// What the products come from, for `describe` and `doctor`; throws Error(device_unavailable) where it is
// missing.
std::string library_name();

}  // namespace ravine::cuda
