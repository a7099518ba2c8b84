// Inverted dropout: in training each value is zeroed with probability rate and the others are scaled by
// 1 / (1 - rate); in evaluation values pass. N. Srivastava et al., JMLR 15, 2014.
#include "layers/list.h"

namespace ravine {
namespace {

class DropoutLayer final : public UnaryLayer {
 public:
  explicit DropoutLayer(const Values& settings) : rate_(settings.real("rate")) {}

  Shape output_shape(const Shape& input) const override { return input; }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const Shape shape = sample_shape(program, input);
    if (!context.training) return {input, program.add_alias(input, shape)};
    const TensorId output = program.add_activation(shape, context.name + ".output");
    program.add(Dropout{rate_, context.stream, input, output, false});
    return {input, output};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    Program& program = context.program;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(Dropout{rate_, context.stream, output_gradient, input_gradient, true});
    return input_gradient;
  }

 private:
  double rate_;
};

}  // namespace

std::unique_ptr<Layer> make_dropout(const Values& settings) {
  return std::make_unique<DropoutLayer>(settings);
}

}  // namespace ravine
