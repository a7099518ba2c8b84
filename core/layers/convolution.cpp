// output = f(input * weight + bias): the same filters at every position of an image; weight of shape
// (filters, height, width, channels / groups), or each filter a gain times a direction of length 1: T.
// Salimans, D. Kingma, NIPS 2016.
#include "backend/backend.h"
#include "base/errors.h"
#include "layers/list.h"
#include "layers/window.h"

namespace ravine {
namespace {

class ConvolutionLayer final : public UnaryLayer {
 public:
  explicit ConvolutionLayer(const Values& settings)
      : filters_(settings.integer("units")),
        window_(settings, "convolution", "kernel"),
        groups_(settings.integer("groups")),
        has_bias_(settings.boolean("use_bias")),
        normalizes_weight_(settings.boolean("weight_normalization")),
        activation_(settings.component("activation")),
        weight_initializer_(settings.component("weight_initializer")),
        bias_initializer_(settings.component("bias_initializer")) {
    if (filters_ % groups_ != 0) {
      throw Error(ErrorCode::invalid_parameter, std::to_string(filters_) + " units cannot be divided among " +
                                                    std::to_string(groups_) +
                                                    " groups; choose a divisor of the units")
          .at_key("groups");
    }
  }

  Shape output_shape(const Shape& input) const override {
    const Shape output = window_.output(input, filters_);
    if (input[2] % groups_ != 0) {
      throw Error(ErrorCode::shape_mismatch, "the " + std::to_string(input[2]) +
                                                 " channels of an input of shape " + input.to_string() +
                                                 " cannot be divided among " + std::to_string(groups_) +
                                                 " groups; choose a divisor of the channels")
          .at_key("groups");
    }
    return output;
  }

  std::vector<ParameterSpec> parameters(const Shape& input) const override {
    const std::int64_t channels = input[2] / groups_;
    const auto area = static_cast<double>(window_.height * window_.width);
    const Fans fans{area * static_cast<double>(channels), area * static_cast<double>(filters_ / groups_)};
    const Shape shape{filters_, window_.height, window_.width, channels};
    const char* name = normalizes_weight_ ? "direction" : "weight";
    std::vector<ParameterSpec> specs{{name, shape, weight_initializer_, fans, !normalizes_weight_, true}};
    if (normalizes_weight_) specs.push_back({"gain", {filters_}, constant(1), fans, true});
    if (has_bias_) specs.push_back({"bias", {filters_}, bias_initializer_, fans, false});
    return specs;
  }

  // Filters, or groups of them with the channels that they read.
  UnitBlocks unit_blocks() const override {
    return groups_ == 1 ? UnitBlocks{filters_, 1} : UnitBlocks{groups_, filters_ / groups_};
  }
  bool blocks_divide_input() const override { return groups_ > 1; }
  std::shared_ptr<const Layer> with_blocks(std::int64_t count) const override {
    auto part = std::make_shared<ConvolutionLayer>(*this);
    part->filters_ = count * unit_blocks().size;
    if (groups_ > 1) part->groups_ = count;
    return part;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const Shape image = sample_shape(program, input);
    const Shape shape = output_shape(image);
    const TensorId net = program.add_activation(shape, context.name + ".net");
    TensorId weight = context.parameters[0];
    if (normalizes_weight_) {
      weight = add_weight(context, "weight");
      program.add(WeightNormalization{context.parameters[0], context.parameters[1], weight});
    }
    program.add(Convolution{.window = window_.window(image),
                            .groups = groups_,
                            .input = input,
                            .weight = weight,
                            .output = net,
                            .bias = has_bias_ ? context.parameters.back() : no_tensor});
    Forwarded forwarded{input, net, net};
    forwarded.kept = {weight};
    if (!has_activation()) return forwarded;
    forwarded.output = program.add_activation(shape, context.name + ".output");
    program.add(Activation{activation_, net, forwarded.output});
    return forwarded;
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    Program& program = context.program;
    TensorId net_gradient = output_gradient;
    if (has_activation()) {
      net_gradient =
          program.add_activation(sample_shape(program, forwarded.output), context.name + ".net.gradient");
      const TensorId net = activation_reads_input(activation_.name) ? forwarded.saved : no_tensor;
      program.add(ActivationGradient{activation_, net, forwarded.output, output_gradient, net_gradient});
    }
    const Shape image = sample_shape(program, forwarded.input);
    const int first = context.first_parameter;
    const int bias = first + static_cast<int>(context.parameters.size()) - 1;
    const TensorId weight_gradient =
        normalizes_weight_ ? add_weight(context, "weight.gradient") : context.gradients[0];
    program.add(ConvolutionWeightGradient{.window = window_.window(image),
                                          .groups = groups_,
                                          .input = forwarded.input,
                                          .output_gradient = net_gradient,
                                          .output = weight_gradient,
                                          .bias_output = has_bias_ ? context.gradients.back() : no_tensor,
                                          .observe = {.parameter = normalizes_weight_ ? -1 : first},
                                          .observe_bias = {.parameter = has_bias_ ? bias : -1}});
    if (normalizes_weight_) {
      program.add(WeightNormalizationGradient{context.parameters[0],
                                              context.parameters[1],
                                              weight_gradient,
                                              context.gradients[0],
                                              context.gradients[1],
                                              {.parameter = first},
                                              {.parameter = first + 1}});
    }
    if (!input_gradient_needed) return no_tensor;
    const TensorId input_gradient = program.add_activation(image, context.name + ".input.gradient");
    program.add(ConvolutionInputGradient{.window = window_.window(image),
                                         .groups = groups_,
                                         .output_gradient = net_gradient,
                                         .weight = forwarded.kept[0],
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

  std::int64_t filters_;
  WindowSettings window_;
  std::int64_t groups_;
  bool has_bias_;
  bool normalizes_weight_;
  Component activation_;
  Component weight_initializer_;
  Component bias_initializer_;
};

}  // namespace

std::unique_ptr<Layer> make_convolution(const Values& settings) {
  return std::make_unique<ConvolutionLayer>(settings);
}

}  // namespace ravine
