// Matrix products of one fixed shape, prepared once and run by any worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ravine::cpu {

// output[m, n] = left[m, k] right[k, n]; strides in elements between rows as they lie in memory.
struct ProductShape {
  std::int64_t m, n, k;
  bool transpose_left, transpose_right;
  std::int64_t left_stride, right_stride, output_stride;
};

template <typename T>
class ProductEngine {
 public:
  virtual ~ProductEngine() = default;
  virtual void run(int worker, const T* left, const T* right, T* output) noexcept = 0;
  virtual const char* name() const = 0;
};

// nullptr where the build has no oneDNN. Each of `workers` may run it at the same time as the others.
std::unique_ptr<ProductEngine<float>> make_onednn_product(const ProductShape& shape, int workers);
std::string onednn_version();  // empty where the build has none

template <typename T>
std::unique_ptr<ProductEngine<T>> make_openblas_product(const ProductShape& shape);
std::string openblas_version();

// The engine for this type and shape: oneDNN for float32 where it is built in, else OpenBLAS.
template <typename T>
std::unique_ptr<ProductEngine<T>> make_product(const ProductShape& shape, int workers);

}  // namespace ravine::cpu
