// Matrix products of a library: cuBLASLt on a GPU (device/), plain loops in the twin.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/cuda/stream.h"
#include "base/dtype.h"

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

// What a product does on the way: adds a value of `extra` to each row of c, or leaves there the sum over k of
// each column of b (as it is multiplied).
enum class ProductEpilogue { none, add_bias, sum_b };

struct ProductRequest {
  ColumnMajorProduct extents;
  DType factors;  // float32, float64 or bfloat16
  DType output;   // the same, or float32 of factors in bfloat16
  bool tf32;      // float32 factors may be rounded to 11 significant bits
  ProductEpilogue epilogue;
  // Of addresses, in bytes; they may be aligned to more.
  std::uint32_t a_alignment, b_alignment, c_alignment, extra_alignment;
};

class LibraryProduct {
 public:
  virtual ~LibraryProduct() = default;
  // `extra` of the type of c: m values of a bias, or n sums.
  virtual void run(const void* a, const void* b, void* c, void* extra) noexcept = 0;
};

// Null where the library has no such product; throws Error(device_unavailable) where it is missing.
std::unique_ptr<LibraryProduct> make_library_product(Stream& stream, const ProductRequest& request);

// What the products come from, for `describe` and `doctor`; throws Error(device_unavailable) where it is
// missing.
std::string library_name();

// What is missing for products of numbers in bfloat16 on that device; empty where nothing is.
std::string lacks_for_bfloat16(int device);

}  // namespace ravine::cuda
