// A dense layer with normalized weights, whose activation is normalized by its moments under N(0, 1).
// D. Arpit, Y. Zhou, B. Kota, V. Govindaraju, ICML 2016.
#include <cmath>

#include "backend/backend.h"
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

Values dense_settings(const Values& settings) {
  Values dense = settings;
  dense.set("use_bias", true);
  dense.set("weight_normalization", true);
  return dense;
}

class NormalizationPropagation final : public UnaryLayer {
 public:
  explicit NormalizationPropagation(const Values& settings)
      : dense_(make_dense(dense_settings(settings))), initial_gain_(settings.real("initial_gain")) {
    const ActivationMoments moments = activation_moments(settings.component("activation"));
    factor_ = 1 / std::sqrt(moments.variance);
    shift_ = -moments.mean * factor_;
  }

  Shape output_shape(const Shape& input) const override { return dense_->infer_output({input}); }

  std::vector<ParameterSpec> parameters(const Shape& input) const override {
    std::vector<ParameterSpec> specs = dense_->infer_parameters({input});
    for (ParameterSpec& spec : specs) {
      if (spec.name == "gain") spec.initializer = constant(initial_gain_);
    }
    return specs;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    Forwarded forwarded = dense_->add_forward(context, {input});
    const TensorId activation = forwarded.output;
    forwarded.output =
        program.add_activation(sample_shape(program, activation), context.name + ".normalized");
    program.add(Affine{activation, forwarded.output, factor_, shift_});
    forwarded.kept.push_back(activation);
    return forwarded;
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    Program& program = context.program;
    Forwarded inner = forwarded;
    inner.output = inner.kept.back();
    const TensorId activation_gradient =
        program.add_activation(sample_shape(program, output_gradient), context.name + ".activation.gradient");
    program.add(Affine{output_gradient, activation_gradient, factor_, 0});
    return dense_->add_backward(context, inner, activation_gradient, {input_gradient_needed}).front();
  }

 private:
  std::unique_ptr<Layer> dense_;
  double initial_gain_;
  double factor_;
  double shift_;
};

}  // namespace

std::unique_ptr<Layer> make_normalization_propagation(const Values& settings) {
  return std::make_unique<NormalizationPropagation>(settings);
}

}  // namespace ravine
