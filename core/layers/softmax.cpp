// Each row (the last axis) becomes probabilities: y_i = e^x_i / sum_j e^x_j.
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

class SoftmaxLayer final : public UnaryLayer {
 public:
  Shape output_shape(const Shape& input) const override {
    if (input.rank() == 0) {
      throw Error(ErrorCode::shape_mismatch, "softmax takes at least one value per sample");
    }
    return input;
  }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    Program& program = context.program;
    const TensorId output = program.add_activation(sample_shape(program, input), context.name + ".output");
    program.add(Softmax{input, output});
    return {input, output};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    Program& program = context.program;
    const TensorId input_gradient =
        program.add_activation(sample_shape(program, forwarded.input), context.name + ".input.gradient");
    program.add(SoftmaxGradient{forwarded.output, output_gradient, input_gradient});
    return input_gradient;
  }
};

}  // namespace

std::unique_ptr<Layer> make_softmax(const Values&) { return std::make_unique<SoftmaxLayer>(); }

}  // namespace ravine
