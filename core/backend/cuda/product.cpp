// Products: small ones by a kernel of our own, the rest by the library, with what follows in a pass behind
// it. In bfloat16 factors are rounded before, where they are not stored so, and sums stay float32: an output
// that is stored in bfloat16 is rounded once, after all that follows.
#include "backend/cuda/activation.h"
#include "backend/cuda/matrix_product.h"
#include "backend/cuda/own_product.h"
#include "backend/cuda/product_memory.h"

namespace ravine::cuda {
namespace {

RowMajorProduct row_major(const Product& o, const Program& program) {
  const ProductExtents extents = extents_of(o, program);
  return {extents.m, extents.n, extents.k, o.transpose_left, o.transpose_right};
}

// The part of a product's output that the operation behind it computes, if there is such a part.
const Component* rule_of(const std::optional<Component>& component) {
  return component ? &*component : nullptr;
}

template <typename T>
class ProductBase : public CudaOperation {
 protected:
  ProductBase(const Product& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rounds_(preparation.program.options.bfloat16),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}

  // Lets the sum of the left factor's columns be computed with the product; it must be multiplied as it is.
  void take_column_sum(const Preparation& preparation, std::ptrdiff_t step) {
    const auto at = static_cast<std::size_t>(step);
    column_sum_ = std::get<ColumnSum>(preparation.program.steps[at].operation).output;
    preparation.products->take(at);
  }
  // Of that sum, where there may be one; -1 for none.
  std::ptrdiff_t column_sum_beside(const Preparation& preparation) const {
    if (rounds_ && !is_stored(operation_.left)) return -1;
    return preparation.products->column_sum_beside(operation_, preparation.step);
  }

  Product operation_;
  bool rounds_;
  TensorId column_sum_ = no_tensor;
  Observer observer_;
};

template <typename T>
class SmallProduct final : public ProductBase<T> {
 public:
  SmallProduct(const Product& o, const Preparation& preparation)
      : ProductBase<T>(o, preparation),
        product_(make_own_product<T>(preparation.stream, row_major(o, preparation.program), this->rounds_,
                                     rule_of(o.activation), rule_of(o.activation_gradient))) {
    const std::ptrdiff_t step = this->column_sum_beside(preparation);
    if (step >= 0) this->take_column_sum(preparation, step);
  }

  void run(const RunContext& context) noexcept override {
    const Product& o = this->operation_;
    const Cells<T> output = this->template cells<T>(o.output);
    product_->run({this->template cells<T>(o.left), this->template cells<T>(o.right),
                   this->template at<const T>(o.bias), this->template cells<T>(o.activation_input),
                   this->template cells<T>(o.activation_output), output,
                   this->template at<T>(this->column_sum_)});
    this->observer_.see(output, context);
  }
  std::string engine() const override { return this->rounds_ ? "own bf16" : "own"; }

 private:
  std::unique_ptr<OwnProduct<T>> product_;
};

template <typename T>
class LargeProduct final : public ProductBase<T> {
 public:
  LargeProduct(const Product& o, const Preparation& preparation)
      : ProductBase<T>(o, preparation),
        products_(preparation.products),
        step_(preparation.step),
        columns_(preparation.columns(o.output)),
        elements_(preparation.elements(o.output)),
        tf32_(preparation.program.options.tf32) {
    if (this->rounds_) {
      if (!this->is_stored(o.left)) left_shadow_ = products_->shadow_of(o.left, step_);
      if (!this->is_stored(o.right)) right_shadow_ = products_->shadow_of(o.right, step_);
    }
    if (o.activation_gradient) derivative_ = make_activation_loops<T>(*o.activation_gradient);
    const bool follows = o.activation || o.activation_gradient || o.bias != no_tensor;
    finishes_apart_ = this->is_stored(o.output) && follows;
    if (finishes_apart_) products_->need(elements_);
    library_ = make_library(preparation);
    const bool passes = o.activation || finishes_apart_ || (o.bias != no_tensor && !adds_bias_);
    if (passes && !derivative_) {
      forward_ = make_activation_loops<T>(o.activation.value_or(Component{"identity", {}}));
    }
  }

  void run(const RunContext& context) noexcept override {
    const Product& o = this->operation_;
    const Cells<T> output = this->template cells<T>(o.output);
    Cells<T> product = output;
    if (finishes_apart_) product = {products_->sums()};
    const T* bias = this->template at<const T>(o.bias);
    void* extra = adds_bias_ ? const_cast<T*>(bias) : this->template at<T>(this->column_sum_);
    library_->run(factor(o.right, right_shadow_), factor(o.left, left_shadow_), product.data, extra);
    if (derivative_ != nullptr) {
      derivative_->derivative(this->stream_, elements_, this->template cells<T>(o.activation_input),
                              this->template cells<T>(o.activation_output), product, output);
    } else if (forward_ != nullptr) {
      forward_->forward(product, adds_bias_ ? nullptr : bias, columns_, output, this->observer_, context);
      return;
    }
    this->observer_.see(output, context);
  }
  std::string engine() const override {
    return library_name() + (this->rounds_ ? " bf16" : tf32_ && sizeof(T) == 4 ? " tf32" : "");
  }

 private:
  std::unique_ptr<LibraryProduct> make_library(const Preparation& preparation) {
    const Product& o = this->operation_;
    const bool stores = this->is_stored(o.output) && !finishes_apart_;
    const DType dtype = sizeof(T) == 8 ? DType::float64 : DType::float32;
    constexpr std::uint32_t of_shadow = 64;
    const auto alignment = [&](TensorId id, bool apart) {
      return apart ? of_shadow : preparation.alignment(id);
    };
    ProductRequest request{row_major(o, preparation.program).transposed(),
                           this->rounds_ ? DType::bfloat16 : dtype,
                           stores ? DType::bfloat16 : dtype,
                           tf32_,
                           ProductEpilogue::none,
                           alignment(o.right, right_shadow_ >= 0),
                           alignment(o.left, left_shadow_ >= 0),
                           alignment(o.output, finishes_apart_),
                           0};
    const auto with = [&](ProductEpilogue epilogue, TensorId extra) {
      request.epilogue = epilogue;
      request.extra_alignment = extra == no_tensor ? 0 : preparation.alignment(extra);
      return make_library_product(preparation.stream, request);
    };
    if (o.bias != no_tensor) {
      if (auto product = with(ProductEpilogue::add_bias, o.bias)) {
        adds_bias_ = true;
        return product;
      }
    }
    const std::ptrdiff_t step = this->column_sum_beside(preparation);
    if (step >= 0 && o.bias == no_tensor) {
      const auto& sum =
          std::get<ColumnSum>(preparation.program.steps[static_cast<std::size_t>(step)].operation);
      if (auto product = with(ProductEpilogue::sum_b, sum.output)) {
        this->take_column_sum(preparation, step);
        return product;
      }
    }
    auto product = with(ProductEpilogue::none, no_tensor);
    if (product == nullptr)
      throw Error(ErrorCode::internal, library_name() + " has no algorithm for a product");
    return product;
  }

  const void* factor(TensorId id, int shadow) const noexcept {
    const void* data = this->template at<const void>(id);
    return shadow < 0 ? data : products_->bring(shadow, step_, static_cast<const float*>(data));
  }

  std::shared_ptr<ProductMemory> products_;
  std::size_t step_;
  std::int64_t columns_;
  std::int64_t elements_;
  bool tf32_;
  int left_shadow_ = -1;  // of the factors, where they are rounded; else -1
  int right_shadow_ = -1;
  bool finishes_apart_ = false;  // in float32, before the output is rounded
  bool adds_bias_ = false;       // the library does
  std::unique_ptr<LibraryProduct> library_;
  std::unique_ptr<ActivationLoops<T>> derivative_;
  std::unique_ptr<ActivationLoops<T>> forward_;
};

}  // namespace

template <typename T>
Prepared prepare_product(const Product& o, const Preparation& preparation) {
  const Program& program = preparation.program;
  if (program.options.own_products && is_small(row_major(o, program))) {
    return std::make_unique<SmallProduct<T>>(o, preparation);
  }
  return std::make_unique<LargeProduct<T>>(o, preparation);
}
template Prepared prepare_product<float>(const Product&, const Preparation&);
template Prepared prepare_product<double>(const Product&, const Preparation&);

}  // namespace ravine::cuda
