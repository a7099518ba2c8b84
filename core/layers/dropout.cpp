// Dropout: in training each value is zeroed with probability rate. N. Srivastava et al., JMLR 15, 2014.
// Inverted: the others are scaled by 1 / (1 - rate), and in evaluation values pass. Standard, the paper's
// form and L1's: the others pass, and evaluation multiplies by 1 - rate; the next layer gets the same as if
// its weights were scaled at test time.
#include "base/random.h"
#include "layers/list.h"

namespace ravine {
namespace {

class DropoutLayer final : public UnaryLayer {
 public:
  explicit DropoutLayer(const Values& settings)
      : rate_(settings.real("rate")), inverted_(settings.text("form") == "inverted") {}

  Shape output_shape(const Shape& input) const override { return input; }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const Shape shape = sample_shape(program, input);
    if (!context.training && inverted_) return {input, program.add_alias(input, shape)};
    const TensorId output = program.add_activation(shape, context.name + ".output");
    if (context.training) {
      program.add(Dropout{rate_, context.stream, input, output, false, inverted_});
    } else {
      program.add(Affine{input, output, kept_share(rate_), 0});
    }
    return {input, output};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    Program& program = context.program;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(Dropout{rate_, context.stream, output_gradient, input_gradient, true, inverted_});
    return input_gradient;
  }

 private:
  double rate_;
  bool inverted_;
};

}  // namespace

std::unique_ptr<Layer> make_dropout(const Values& settings) {
  return std::make_unique<DropoutLayer>(settings);
}

}  // namespace ravine
