// output = f(input), element by element.
#include "backend/backend.h"
#include "layers/list.h"

namespace ravine {
namespace {

class ActivationLayer final : public UnaryLayer {
 public:
  explicit ActivationLayer(const Values& settings) : function_(settings.component("function")) {}

  Shape output_shape(const Shape& input) const override { return input; }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const TensorId output = program.add_activation(sample_shape(program, input), context.name + ".output");
    program.add(Activation{function_, input, output});
    return {input, output};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    Program& program = context.program;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    const TensorId input = activation_reads_input(function_.name) ? forwarded.input : no_tensor;
    program.add(ActivationGradient{function_, input, forwarded.output, output_gradient, input_gradient});
    return input_gradient;
  }

 private:
  Component function_;
};

}  // namespace

std::unique_ptr<Layer> make_activation(const Values& settings) {
  return std::make_unique<ActivationLayer>(settings);
}

}  // namespace ravine
