// Convolution and its gradients: an engine's result, then what is fused behind it and the engine does not do.
#include "backend/cuda/convolution_engine.h"
#include "backend/cuda/gradient_finish.h"
#include "backend/cuda/measure.h"

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

ConvolutionTask make_task(ConvolutionKind kind, const ConvolutionExtents& extents,
                          const Preparation& preparation, TensorId input, TensorId output) {
  const ComputeOptions& options = preparation.program.options;
  const auto is_stored = [&](TensorId id) { return preparation.program.tensor(id).dtype == DType::bfloat16; };
  ConvolutionTask task{kind, extents, options.bfloat16, is_stored(input), is_stored(output)};
  task.allows_winograd = options.winograd;
  return task;
}

bool is_rule(const std::optional<Component>& rule, const char* name) { return rule && rule->name == name; }
bool is_observed(const Observation& observe) { return observe.layer >= 0 || observe.parameter >= 0; }

template <typename T>
class ConvolutionOperation final : public CudaOperation {
 public:
  ConvolutionOperation(const Convolution& o, const Preparation& preparation)
      : CudaOperation(preparation), operation_(o) {
    ConvolutionTask task =
        make_task(ConvolutionKind::forward, extents_of(preparation, o.input, o.output, o.window, o.groups),
                  preparation, o.input, o.output);
    const bool has_relu = is_rule(o.activation, "relu");
    const bool is_within = !o.activation || has_relu || is_rule(o.activation, "identity");
    task.has_bias = o.bias != no_tensor && is_within;
    task.has_relu = has_relu;
    engine_ = make_library_convolution<T>(stream_, task);
    if (engine_ == nullptr && (task.has_bias || task.has_relu)) {
      ConvolutionTask bare = task;
      bare.has_bias = bare.has_relu = false;
      engine_ = make_library_convolution<T>(stream_, bare);
      if (engine_ != nullptr) task = bare;
    }
    if (engine_ == nullptr) engine_ = make_own_convolution<T>(stream_, task);
    gives_bias_ = task.has_bias;
    const bool is_activated = task.has_relu || !o.activation || is_rule(o.activation, "identity");
    const TensorId bias = gives_bias_ ? no_tensor : o.bias;
    if (bias != no_tensor || !is_activated) {
      const Component identity{"identity", {}};
      next_ = prepare_activation<T>({o.activation.value_or(identity), o.output, o.output, o.observe}, bias,
                                    preparation);
    } else if (is_observed(o.observe)) {
      next_ = prepare_observation<T>(o.output, o.observe, preparation);
    }
  }

  void run(const RunContext& context) noexcept override {
    engine_->run({cells<T>(operation_.input), at<T>(operation_.weight), cells<T>(operation_.output),
                  gives_bias_ ? at<const T>(operation_.bias) : nullptr});
    if (next_ != nullptr) next_->run(context);
  }
  std::string engine() const override { return engine_->name(); }

 private:
  Convolution operation_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  bool gives_bias_ = false;
  Prepared next_;  // may be nothing
};

template <typename T>
class ConvolutionInputGradientOperation final : public CudaOperation {
 public:
  ConvolutionInputGradientOperation(const ConvolutionInputGradient& o, const Preparation& preparation)
      : CudaOperation(preparation), operation_(o) {
    if (o.sums) throw Error(ErrorCode::internal, "no kernel for sums behind a convolution");
    const ConvolutionTask task =
        make_task(ConvolutionKind::input_gradient,
                  extents_of(preparation, o.output, o.output_gradient, o.window, o.groups), preparation,
                  o.output, o.output_gradient);
    engine_ = make_library_convolution<T>(stream_, task);
    const bool is_own = engine_ == nullptr;
    if (is_own) engine_ = make_own_convolution<T>(stream_, task);
    GradientFinish finish{o.output};
    if (is_own && (!o.activation_gradient || is_rule(o.activation_gradient, "relu"))) {
      add_within_ = o.add;
      if (o.activation_gradient) relu_within_ = o.activation_output;
      return;
    }
    finish.add = o.add;
    if (o.activation_gradient) {
      finish.activation = o.activation_gradient;
      finish.activation_input = o.activation_input;
      finish.activation_output = o.activation_output;
    }
    if (finish.add != no_tensor || finish.activation) {
      finish_ = prepare_gradient_finish<T>(finish, preparation);
    }
  }

  void run(const RunContext& context) noexcept override {
    engine_->run({cells<T>(operation_.output), at<T>(operation_.weight), cells<T>(operation_.output_gradient),
                  nullptr, cells<T>(add_within_), cells<T>(relu_within_)});
    if (finish_ != nullptr) finish_->run(context);
  }
  std::string engine() const override { return engine_->name(); }

 private:
  ConvolutionInputGradient operation_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  TensorId add_within_ = no_tensor;
  TensorId relu_within_ = no_tensor;
  Prepared finish_;  // may be nothing
};

template <typename T>
class ConvolutionWeightGradientOperation final : public CudaOperation {
 public:
  ConvolutionWeightGradientOperation(const ConvolutionWeightGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        observer_(preparation, o.observe, preparation.elements(o.output)) {
    const ConvolutionTask task =
        make_task(ConvolutionKind::weight_gradient,
                  extents_of(preparation, o.input, o.output_gradient, o.window, o.groups), preparation,
                  o.input, o.output_gradient);
    engine_ = make_library_convolution<T>(stream_, task);
    if (engine_ == nullptr) engine_ = make_own_convolution<T>(stream_, task);
    if (o.bias_output == no_tensor) return;
    bias_ = prepare_column_sum<T>({o.output_gradient, o.bias_output, o.observe_bias}, preparation);
  }

  void run(const RunContext& context) noexcept override {
    T* const gradient = at<T>(operation_.output);
    engine_->run({cells<T>(operation_.input), gradient, cells<T>(operation_.output_gradient)});
    observer_.see<T>(gradient, context);
    if (bias_ != nullptr) bias_->run(context);
  }
  std::string engine() const override { return engine_->name(); }

 private:
  ConvolutionWeightGradient operation_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
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
