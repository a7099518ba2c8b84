// output = f(input weight^T + bias), weight of shape (units, inputs).
#include "backend/backend.h"
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

class Dense final : public UnaryLayer {
 public:
  explicit Dense(const Values& settings)
      : units_(settings.integer("units")),
        has_bias_(settings.boolean("use_bias")),
        activation_(settings.component("activation")),
        weight_initializer_(settings.component("weight_initializer")),
        bias_initializer_(settings.component("bias_initializer")) {}

  Shape output_shape(const Shape& input) const override {
    if (input.rank() != 1) {
      throw Error(ErrorCode::shape_mismatch,
                  "a dense layer of " + std::to_string(units_) +
                      " units takes one vector per sample, but its input has shape " + input.to_string() +
                      "; put a flatten layer before it");
    }
    return {units_};
  }

  std::vector<ParameterSpec> parameters(const Shape& input) const override {
    const Fans fans{static_cast<double>(input.back()), static_cast<double>(units_)};
    std::vector<ParameterSpec> specs{{"weight", {units_, input.back()}, weight_initializer_, fans, true}};
    if (has_bias_) specs.push_back({"bias", {units_}, bias_initializer_, fans, false});
    return specs;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const TensorId net = program.add_activation({units_}, context.name + ".net");
    program.add(Product{.left = input,
                        .transpose_left = false,
                        .right = context.parameters[0],
                        .transpose_right = true,
                        .output = net,
                        .bias = has_bias_ ? context.parameters[1] : no_tensor});
    if (!has_activation()) return {input, net, net};
    const TensorId output = program.add_activation({units_}, context.name + ".output");
    program.add(Activation{activation_, net, output});
    return {input, output, net};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    Program& program = context.program;
    TensorId net_gradient = output_gradient;
    if (has_activation()) {
      net_gradient = program.add_activation({units_}, context.name + ".net.gradient");
      const TensorId net = activation_reads_input(activation_.name) ? forwarded.saved : no_tensor;
      program.add(ActivationGradient{activation_, net, forwarded.output, output_gradient, net_gradient});
    }
    program.add(Product{.left = net_gradient,
                        .transpose_left = true,
                        .right = forwarded.input,
                        .transpose_right = false,
                        .output = context.gradients[0],
                        .observe = {.parameter = context.first_parameter}});
    if (has_bias_) {
      program.add(ColumnSum{net_gradient, context.gradients[1], {.parameter = context.first_parameter + 1}});
    }
    if (!input_gradient_needed) return no_tensor;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(Product{.left = net_gradient,
                        .transpose_left = false,
                        .right = context.parameters[0],
                        .transpose_right = false,
                        .output = input_gradient});
    return input_gradient;
  }

 private:
  bool has_activation() const { return activation_.name != "identity"; }

  std::int64_t units_;
  bool has_bias_;
  Component activation_;
  Component weight_initializer_;
  Component bias_initializer_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Values& settings) { return std::make_unique<Dense>(settings); }

}  // namespace ravine
