// Normalizes each channel (the last axis) over the batch and all places; in evaluation by moving averages.
// S. Ioffe, C. Szegedy, ICML 2015; lectures L1 and L2. L3's slide has no scale and centre of its own: there
// the weights of the layer behind take x_hat, net = W x_hat + w0.
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

class BatchNormalization final : public UnaryLayer {
 public:
  explicit BatchNormalization(const Values& settings)
      : epsilon_(settings.real("epsilon")),
        momentum_(settings.real("momentum")),
        scale_(settings.boolean("scale")),
        centre_(settings.boolean("centre")) {}

  Shape output_shape(const Shape& input) const override {
    if (input.rank() == 0) {
      throw Error(ErrorCode::shape_mismatch, "normalizes channels, but its input has no axes");
    }
    return input;
  }

  std::vector<ParameterSpec> parameters(const Shape& input) const override {
    const Fans fans{1, 1};
    std::vector<ParameterSpec> specs;
    if (scale_) specs.push_back({"scale", {input.back()}, constant(1), fans, false});
    if (centre_) specs.push_back({"centre", {input.back()}, constant(0), fans, false});
    return specs;
  }

  std::vector<StateSpec> state(const Shape& input) const override {
    return {{"moving_mean", {input.back()}, 0}, {"moving_variance", {input.back()}, 1}};
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    TensorId mean = context.state[0];
    TensorId variance = context.state[1];
    if (context.training) {
      const std::int64_t rows = rows_of(program.tensor(input));
      if (rows == 1 && context.alone) {
        throw Error(ErrorCode::invalid_parameter,
                    "batch normalization of one value a channel would make each 0; train with batches of at "
                    "least 2 samples (drop_last leaves out a last batch of 1)")
            .at_key("batch_size")
            .at_layer(context.name);
      }
      mean = add_channels(context, input, "mean");
      variance = add_channels(context, input, "variance");
      program.add(ColumnMoments{input, mean, variance});
      const Section section = program.section;
      program.section = Section::state;
      const auto count = static_cast<double>(rows);
      program.add(MovingAverage{mean, context.state[0], momentum_, 1});
      // The average estimates the variance of all data: without the bias of a batch's own.
      program.add(MovingAverage{variance, context.state[1], momentum_, rows > 1 ? count / (count - 1) : 1});
      program.section = section;
    }
    const TensorId output = program.add_activation(sample_shape(program, input), context.name + ".output");
    program.add(
        ColumnNormalization{input, mean, variance, scale_of(context), centre_of(context), output, epsilon_});
    Forwarded forwarded{input, output};
    forwarded.kept = {mean, variance};
    return forwarded;
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    Program& program = context.program;
    const TensorId mean = forwarded.kept[0];
    const TensorId variance = forwarded.kept[1];
    const int centre = context.first_parameter + (scale_ ? 1 : 0);
    const TensorId scale_gradient =
        scale_ ? context.gradients[0] : add_channels(context, forwarded.input, "scale.gradient");
    const TensorId centre_gradient =
        centre_ ? context.gradients.back() : add_channels(context, forwarded.input, "centre.gradient");
    program.add(ColumnNormalizationSums{forwarded.input,
                                        mean,
                                        variance,
                                        output_gradient,
                                        scale_gradient,
                                        centre_gradient,
                                        epsilon_,
                                        {.parameter = scale_ ? context.first_parameter : -1},
                                        {.parameter = centre_ ? centre : -1}});
    if (!input_gradient_needed) return no_tensor;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(ColumnNormalizationGradient{forwarded.input, mean, variance, scale_of(context),
                                            output_gradient, scale_gradient, centre_gradient, input_gradient,
                                            epsilon_});
    return input_gradient;
  }

 private:
  static TensorId add_channels(LayerContext& context, TensorId input, const std::string& name) {
    Program& program = context.program;
    return program.add_tensor({{columns_of(program.tensor(input))},
                               program.dtype(),
                               TensorRole::activation,
                               context.name + "." + name});
  }
  TensorId scale_of(const LayerContext& context) const { return scale_ ? context.parameters[0] : no_tensor; }
  TensorId centre_of(const LayerContext& context) const {
    return centre_ ? context.parameters.back() : no_tensor;
  }

  double epsilon_;
  double momentum_;
  bool scale_;
  bool centre_;
};

}  // namespace

std::unique_ptr<Layer> make_batch_normalization(const Values& settings) {
  return std::make_unique<BatchNormalization>(settings);
}

}  // namespace ravine
