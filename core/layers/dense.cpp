// output = f(input weight^T + bias), weight of shape (units, inputs); or each row of the weight is a gain
// times a direction of length 1: T. Salimans, D. Kingma, NIPS 2016.
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
        normalizes_weight_(settings.boolean("weight_normalization")),
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
    const char* name = normalizes_weight_ ? "direction" : "weight";
    std::vector<ParameterSpec> specs{
        {name, {units_, input.back()}, weight_initializer_, fans, !normalizes_weight_, true}};
    if (normalizes_weight_) specs.push_back({"gain", {units_}, constant(1), fans, true});
    if (has_bias_) specs.push_back({"bias", {units_}, bias_initializer_, fans, false});
    return specs;
  }

  UnitBlocks unit_blocks() const override { return {units_, 1}; }
  std::shared_ptr<const Layer> with_blocks(std::int64_t count) const override {
    auto part = std::make_shared<Dense>(*this);
    part->units_ = count;
    return part;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const TensorId net = program.add_activation({units_}, context.name + ".net");
    TensorId weight = context.parameters[0];
    if (normalizes_weight_) {
      weight = add_weight(context, "weight");
      program.add(WeightNormalization{context.parameters[0], context.parameters[1], weight});
    }
    program.add(Product{.left = input,
                        .transpose_left = false,
                        .right = weight,
                        .transpose_right = true,
                        .output = net,
                        .bias = has_bias_ ? context.parameters.back() : no_tensor});
    Forwarded forwarded{input, net, net};
    forwarded.kept = {weight};
    if (!has_activation()) return forwarded;
    forwarded.output = program.add_activation({units_}, context.name + ".output");
    program.add(Activation{activation_, net, forwarded.output});
    return forwarded;
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
    const TensorId weight_gradient =
        normalizes_weight_ ? add_weight(context, "weight.gradient") : context.gradients[0];
    program.add(Product{.left = net_gradient,
                        .transpose_left = true,
                        .right = forwarded.input,
                        .transpose_right = false,
                        .output = weight_gradient,
                        .observe = {.parameter = normalizes_weight_ ? -1 : context.first_parameter}});
    if (normalizes_weight_) {
      program.add(WeightNormalizationGradient{context.parameters[0],
                                              context.parameters[1],
                                              weight_gradient,
                                              context.gradients[0],
                                              context.gradients[1],
                                              {.parameter = context.first_parameter},
                                              {.parameter = context.first_parameter + 1}});
    }
    if (has_bias_) {
      const int bias = context.first_parameter + static_cast<int>(context.parameters.size()) - 1;
      program.add(ColumnSum{net_gradient, context.gradients.back(), {.parameter = bias}});
    }
    if (!input_gradient_needed) return no_tensor;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(Product{.left = net_gradient,
                        .transpose_left = false,
                        .right = forwarded.kept[0],
                        .transpose_right = false,
                        .output = input_gradient});
    return input_gradient;
  }

 private:
  static TensorId add_weight(LayerContext& context, const char* name) {
    Program& program = context.program;
    return program.add_tensor({program.tensor(context.parameters[0]).shape, program.dtype(),
                               TensorRole::activation, context.name + "." + name});
  }
  bool has_activation() const { return activation_.name != "identity"; }

  std::int64_t units_;
  bool has_bias_;
  bool normalizes_weight_;
  Component activation_;
  Component weight_initializer_;
  Component bias_initializer_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Values& settings) { return std::make_unique<Dense>(settings); }

}  // namespace ravine
