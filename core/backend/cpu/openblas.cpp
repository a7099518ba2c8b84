// Products by OpenBLAS: float64, and float32 where there is no oneDNN.
#include "backend/cpu/blas.h"
#include "backend/cpu/product_engine.h"

namespace ravine::cpu {
namespace {

template <typename T>
class OpenBlasProduct final : public ProductEngine<T> {
 public:
  explicit OpenBlasProduct(const ProductShape& shape) : shape_(shape) { use_one_blas_thread(); }

  void run(int, const T* left, const T* right, T* output) noexcept override {
    const auto [m, n, k, transpose_left, transpose_right, left_stride, right_stride, output_stride] = shape_;
    const CBLAS_TRANSPOSE left_order = transpose_left ? CblasTrans : CblasNoTrans;
    const CBLAS_TRANSPOSE right_order = transpose_right ? CblasTrans : CblasNoTrans;
    const auto integer = [](std::int64_t value) { return static_cast<blasint>(value); };
    if constexpr (sizeof(T) == sizeof(float)) {
      RAVINE_BLAS(cblas_sgemm)
      (CblasRowMajor, left_order, right_order, integer(m), integer(n), integer(k), 1.0f, left,
       integer(left_stride), right, integer(right_stride), 0.0f, output, integer(output_stride));
    } else {
      RAVINE_BLAS(cblas_dgemm)
      (CblasRowMajor, left_order, right_order, integer(m), integer(n), integer(k), 1.0, left,
       integer(left_stride), right, integer(right_stride), 0.0, output, integer(output_stride));
    }
  }

  const char* name() const override { return "OpenBLAS"; }

 private:
  ProductShape shape_;
};

}  // namespace

template <typename T>
std::unique_ptr<ProductEngine<T>> make_openblas_product(const ProductShape& shape) {
  return std::make_unique<OpenBlasProduct<T>>(shape);
}
template std::unique_ptr<ProductEngine<float>> make_openblas_product<float>(const ProductShape&);
template std::unique_ptr<ProductEngine<double>> make_openblas_product<double>(const ProductShape&);

std::string openblas_version() {
  return std::string(RAVINE_BLAS(openblas_get_config)()) + ", core " + RAVINE_BLAS(openblas_get_corename)();
}

template <>
std::unique_ptr<ProductEngine<float>> make_product<float>(const ProductShape& shape, int workers) {
  auto engine = make_onednn_product(shape, workers);
  return engine ? std::move(engine) : make_openblas_product<float>(shape);
}

template <>
std::unique_ptr<ProductEngine<double>> make_product<double>(const ProductShape& shape, int) {
  return make_openblas_product<double>(shape);
}

}  // namespace ravine::cpu
