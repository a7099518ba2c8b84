// The same values as one vector per sample: no memory is moved.
#include "layers/list.h"

namespace ravine {
namespace {

class Flatten final : public UnaryLayer {
 public:
  Shape output_shape(const Shape& input) const override { return {input.elements()}; }

  Forwarded forward(LayerContext& context, TensorId input) const override {
    const Shape shape = output_shape(sample_shape(context.program, input));
    return {input, context.program.add_alias(input, shape)};
  }

  TensorId backward(LayerContext& context, const Forwarded& forwarded, TensorId output_gradient,
                    bool input_gradient_needed) const override {
    if (!input_gradient_needed) return no_tensor;
    return context.program.add_alias(output_gradient, sample_shape(context.program, forwarded.input));
  }
};

}  // namespace

std::unique_ptr<Layer> make_flatten(const Values&) { return std::make_unique<Flatten>(); }

}  // namespace ravine
