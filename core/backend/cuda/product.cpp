// Products: the library's, then what is fused behind them.
#include "backend/cuda/matrix_product.h"
#include "backend/cuda/operation.h"

namespace ravine::cuda {
namespace {

RowMajorProduct row_major(const Product& o, const Program& program) {
  const ProductExtents extents = extents_of(o, program);
  return {extents.m, extents.n, extents.k, o.transpose_left, o.transpose_right};
}

template <typename T>
class ProductOperation final : public CudaOperation {
 public:
  ProductOperation(const Product& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        product_(
            make_library_product<T>(preparation.stream, row_major(o, preparation.program).transposed())) {
    if (o.activation_gradient) {
      next_ = prepare_activation_gradient<T>(
          {*o.activation_gradient, o.activation_input, o.activation_output, o.output, o.output}, preparation);
      return;
    }
    const Activation activation{o.activation.value_or(Component{"identity", {}}), o.output, o.output,
                                o.observe};
    if (o.bias != no_tensor) with_bias_ = prepare_activation<T>(activation, o.bias, preparation);
    if (o.activation) {
      next_ = prepare_activation<T>(activation, preparation);
    } else if (o.observe.layer >= 0 || o.observe.parameter >= 0) {
      next_ = prepare_observation<T>(o.output, o.observe, preparation);
    }
  }

  void run(const RunContext& context) noexcept override {
    const T* bias = at<const T>(operation_.bias);
    const bool within = bias != nullptr && adds_bias(bias);
    product_->run(at<const T>(operation_.right), at<const T>(operation_.left), within ? bias : nullptr,
                  at<T>(operation_.output));
    CudaOperation* next = bias != nullptr && !within ? with_bias_.get() : next_.get();
    if (next != nullptr) next->run(context);
  }
  std::string engine() const override { return library_name(); }

 private:
  Product operation_;
  std::unique_ptr<LibraryProduct<T>> product_;
  Prepared with_bias_;  // what follows where the library adds no bias
  Prepared next_;       // and where it does, or there is none; may be nothing
};

}  // namespace

template <typename T>
Prepared prepare_product(const Product& o, const Preparation& preparation) {
  return std::make_unique<ProductOperation<T>>(o, preparation);
}
template Prepared prepare_product<float>(const Product&, const Preparation&);
template Prepared prepare_product<double>(const Product&, const Preparation&);

}  // namespace ravine::cuda
