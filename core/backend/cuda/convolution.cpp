// Convolution and its gradients: an engine's result, then what is fused behind it and the engine does not do.
#include "backend/cuda/activation.h"
#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/gradient_finish.h"
#include "backend/cuda/product_memory.h"

namespace ravine::cuda {

ConvolutionExtents extents_of(const Preparation& preparation, TensorId input, TensorId output,
                              const Window& window, std::int64_t groups) {
  const Shape& in = preparation.program.tensor(input).shape;
  const Shape& out = preparation.program.tensor(output).shape;
  constexpr std::int64_t most = std::int64_t{1} << 30;  // kernels count places in 32 bits
  if (in[0] * in[1] * in[2] > most || out[0] * out[1] * out[2] > most ||
      window.height * window.width * in[3] > most || window.height * window.width * out[3] > most) {
    throw Error(ErrorCode::invalid_parameter,
                "a convolution on a GPU has up to 2^30 places of images in a batch; use a smaller batch")
        .at_key("batch_size");
  }
  const auto number = [](std::int64_t extent) { return static_cast<std::int32_t>(extent); };
  return {number(in[0]),          number(in[1]),           number(in[2]),         number(in[3]),
          number(out[1]),         number(out[2]),          number(out[3]),        number(groups),
          number(in[3] / groups), number(out[3] / groups), number(window.height), number(window.width),
          number(window.stride),  number(window.dilation), number(window.top),    number(window.left)};
}

namespace {

bool is_rule(const std::optional<Component>& rule, const char* name) { return rule && rule->name == name; }

// A factor as it is multiplied: in bfloat16, rounded beside it where it is not stored so.
class Factors {
 public:
  explicit Factors(const Preparation& preparation)
      : products_(preparation.products),
        step_(preparation.step),
        rounds_(preparation.program.options.bfloat16) {}

  int add(const Preparation& preparation, TensorId id) {
    if (!rounds_ || preparation.program.tensor(id).dtype == DType::bfloat16) return -1;
    return products_->shadow_of(id, step_);
  }
  template <typename T>
  Cells<T> bring(int shadow, const Cells<T>& cells) const noexcept {
    if (shadow < 0) return cells;
    const void* rounded = products_->bring(shadow, step_, static_cast<const float*>(cells.data));
    return {const_cast<void*>(rounded), true};
  }

 private:
  std::shared_ptr<ProductMemory> products_;
  std::size_t step_;
  bool rounds_;
};

template <typename T>
class ConvolutionBase : public CudaOperation {
 public:
  explicit ConvolutionBase(const Preparation& preparation)
      : CudaOperation(preparation), products_(preparation.products), factors_(preparation) {}
  std::string engine() const override { return engine_->name(); }

 protected:
  ConvolutionTask make_task(ConvolutionKind kind, const Preparation& preparation, TensorId input,
                            TensorId output, const Window& window, std::int64_t groups) const {
    const ComputeOptions& options = preparation.program.options;
    ConvolutionTask task{kind, extents_of(preparation, input, output, window, groups)};
    task.factors_are_rounded = options.bfloat16;
    task.allows_tf32 = options.tf32;
    task.allows_winograd = options.winograd;
    return task;
  }
  void make_engine(const ConvolutionTask& task) {
    engine_ = make_library_convolution<T>(stream_, task);
    is_own_ = engine_ == nullptr;
    if (is_own_) engine_ = make_own_convolution<T>(stream_, task);
  }
  // Where a result goes that is rounded only after a pass behind it.
  Cells<T> apart() const { return {products_->sums(), false}; }

  std::shared_ptr<ProductMemory> products_;
  Factors factors_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  bool is_own_ = true;
};

template <typename T>
class ConvolutionOperation final : public ConvolutionBase<T> {
 public:
  ConvolutionOperation(const Convolution& o, const Preparation& preparation)
      : ConvolutionBase<T>(preparation),
        operation_(o),
        input_shadow_(this->factors_.add(preparation, o.input)),
        weight_shadow_(this->factors_.add(preparation, o.weight)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {
    ConvolutionTask task =
        this->make_task(ConvolutionKind::forward, preparation, o.input, o.output, o.window, o.groups);
    const bool has_rule = o.activation && o.activation->name != "identity";
    task.has_relu = is_rule(o.activation, "relu");
    task.has_bias = o.bias != no_tensor && has_rule == task.has_relu;
    task.result_is_stored = this->is_stored(o.output);
    this->engine_ = make_library_convolution<T>(this->stream_, task);
    if (this->engine_ == nullptr && (task.has_bias || task.has_relu)) {
      ConvolutionTask bare = task;
      bare.has_bias = bare.has_relu = false;
      this->engine_ = make_library_convolution<T>(this->stream_, bare);
      if (this->engine_ != nullptr) task = bare;
    }
    const bool is_own = this->engine_ == nullptr;
    const bool passes = (has_rule && !task.has_relu) || (o.bias != no_tensor && !task.has_bias);
    // What is rounded is rounded once, after all that follows; cuDNN's plans of bfloat16 give bfloat16.
    is_apart_ = is_own && passes && task.result_is_stored;
    if (is_apart_) {
      task.result_is_stored = false;
      this->products_->need(preparation.elements(o.output));
    }
    if (is_own) this->engine_ = make_own_convolution<T>(this->stream_, task);
    gives_bias_ = task.has_bias;
    columns_ = task.extents.filters;
    if (passes) loops_ = make_activation_loops<T>(o.activation.value_or(Component{"identity", {}}));
    if (o.mean == no_tensor) return;
    moments_ = prepare_normalization<T>(ColumnMoments{o.output, o.mean, o.variance}, preparation);
  }

  void run(const RunContext& context) noexcept override {
    const Convolution& o = operation_;
    const Cells<T> output = this->template cells<T>(o.output);
    const Cells<T> product = is_apart_ ? this->apart() : output;
    const T* bias = this->template at<const T>(o.bias);
    this->engine_->run({this->factors_.bring(input_shadow_, this->template cells<T>(o.input)),
                        this->factors_.bring(weight_shadow_, this->template cells<T>(o.weight)), product,
                        gives_bias_ ? bias : nullptr});
    if (loops_ != nullptr) {
      loops_->forward(product, gives_bias_ ? nullptr : bias, columns_, output, observer_, context);
    } else {
      observer_.see(output, context);
    }
    if (moments_ != nullptr) moments_->run(context);
  }

 private:
  Convolution operation_;
  int input_shadow_;
  int weight_shadow_;
  Observer observer_;
  bool is_apart_ = false;
  bool gives_bias_ = false;  // to the engine
  std::int64_t columns_ = 0;
  std::unique_ptr<ActivationLoops<T>> loops_;  // what the engine does not do; may be nothing
  Prepared moments_;                           // as this
};

template <typename T>
class ConvolutionInputGradientOperation final : public ConvolutionBase<T> {
 public:
  ConvolutionInputGradientOperation(const ConvolutionInputGradient& o, const Preparation& preparation)
      : ConvolutionBase<T>(preparation),
        operation_(o),
        output_shadow_(this->factors_.add(preparation, o.output_gradient)),
        weight_shadow_(this->factors_.add(preparation, o.weight)),
        elements_(preparation.elements(o.output)) {
    ConvolutionTask task = this->make_task(ConvolutionKind::input_gradient, preparation, o.output,
                                           o.output_gradient, o.window, o.groups);
    task.result_is_stored = this->is_stored(o.output);
    this->make_engine(task);
    is_within_ = this->is_own_ && (!o.activation_gradient || is_rule(o.activation_gradient, "relu"));
    if (!is_within_ && (o.add != no_tensor || o.activation_gradient)) {
      finish_ = make_gradient_finish<T>(o.activation_gradient);
      is_apart_ = this->is_own_ && task.result_is_stored;
      if (is_apart_) this->products_->need(elements_);
    }
    if (!o.sums) return;
    ColumnNormalizationSums sums = *o.sums;
    sums.output_gradient = o.output;
    sums_ = prepare_normalization<T>(sums, preparation);
  }

  void run(const RunContext& context) noexcept override {
    const ConvolutionInputGradient& o = operation_;
    const Cells<T> result = this->template cells<T>(o.output);
    const Cells<T> add = this->template cells<T>(o.add);
    const Cells<T> y = this->template cells<T>(o.activation_output);
    ConvolutionTensors<T> tensors{
        is_apart_ ? this->apart() : result,
        this->factors_.bring(weight_shadow_, this->template cells<T>(o.weight)),
        this->factors_.bring(output_shadow_, this->template cells<T>(o.output_gradient))};
    if (is_within_) {
      tensors.add = add;
      tensors.relu_output = y;
    }
    this->engine_->run(tensors);
    if (finish_ != nullptr) {
      finish_->run(this->stream_, elements_,
                   {tensors.input, add, this->template cells<T>(o.activation_input), y, result});
    }
    if (sums_ != nullptr) sums_->run(context);
  }

 private:
  ConvolutionInputGradient operation_;
  int output_shadow_;
  int weight_shadow_;
  std::int64_t elements_;
  bool is_within_ = false;  // the engine adds and multiplies by the derivative
  bool is_apart_ = false;
  std::unique_ptr<GradientFinish<T>> finish_;  // may be nothing
  Prepared sums_;                              // as this
};

template <typename T>
class ConvolutionWeightGradientOperation final : public ConvolutionBase<T> {
 public:
  ConvolutionWeightGradientOperation(const ConvolutionWeightGradient& o, const Preparation& preparation)
      : ConvolutionBase<T>(preparation),
        operation_(o),
        input_shadow_(this->factors_.add(preparation, o.input)),
        output_shadow_(this->factors_.add(preparation, o.output_gradient)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {
    this->make_engine(this->make_task(ConvolutionKind::weight_gradient, preparation, o.input,
                                      o.output_gradient, o.window, o.groups));
    if (o.bias_output == no_tensor) return;
    bias_ = prepare_column_sum<T>({o.output_gradient, o.bias_output, o.observe_bias}, preparation);
  }

  void run(const RunContext& context) noexcept override {
    const ConvolutionWeightGradient& o = operation_;
    const Cells<T> gradient = this->template cells<T>(o.output);
    this->engine_->run({this->factors_.bring(input_shadow_, this->template cells<T>(o.input)), gradient,
                        this->factors_.bring(output_shadow_, this->template cells<T>(o.output_gradient))});
    observer_.see(gradient, context);
    if (bias_ != nullptr) bias_->run(context);
  }

 private:
  ConvolutionWeightGradient operation_;
  int input_shadow_;
  int output_shadow_;
  Observer observer_;
  Prepared bias_;  // may be nothing
};

}  // namespace

template <typename T>
Prepared prepare_convolution(const Convolution& o, const Preparation& preparation) {
  return std::make_unique<ConvolutionOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_convolution(const ConvolutionInputGradient& o, const Preparation& preparation) {
  return std::make_unique<ConvolutionInputGradientOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_convolution(const ConvolutionWeightGradient& o, const Preparation& preparation) {
  return std::make_unique<ConvolutionWeightGradientOperation<T>>(o, preparation);
}
template Prepared prepare_convolution<float>(const Convolution&, const Preparation&);
template Prepared prepare_convolution<double>(const Convolution&, const Preparation&);
template Prepared prepare_convolution<float>(const ConvolutionInputGradient&, const Preparation&);
template Prepared prepare_convolution<double>(const ConvolutionInputGradient&, const Preparation&);
template Prepared prepare_convolution<float>(const ConvolutionWeightGradient&, const Preparation&);
template Prepared prepare_convolution<double>(const ConvolutionWeightGradient&, const Preparation&);

}  // namespace ravine::cuda
