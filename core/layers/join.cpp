// Layers that join branches: the sum of residual blocks, the concatenation of columns.
#include "base/errors.h"
#include "layers/list.h"

namespace ravine {
namespace {

void need_several(const std::vector<Shape>& inputs) {
  if (inputs.size() >= 2) return;
  throw Error(ErrorCode::invalid_parameter, "joins at least two inputs; name them in 'inputs'")
      .at_key("inputs");
}

// output = sum of the inputs. K. He et al., CVPR 2016.
class AddLayer final : public Layer {
 public:
  Shape infer_output(const std::vector<Shape>& inputs) const override {
    need_several(inputs);
    for (const Shape& input : inputs) {
      if (input == inputs.front()) continue;
      throw Error(ErrorCode::shape_mismatch, "cannot add shapes " + inputs.front().to_string() + " and " +
                                                 input.to_string() +
                                                 "; give all branches that meet here one shape, with as "
                                                 "many units and the same strides and padding");
    }
    return inputs.front();
  }

  Forwarded add_forward(LayerContext& context, const std::vector<TensorId>& inputs) const override {
    Program& program = context.program;
    TensorId sum = inputs.front();
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      const TensorId next =
          program.add_activation(sample_shape(program, inputs[i]), context.name + ".output");
      program.add(Add{sum, inputs[i], next});
      sum = next;
    }
    return {inputs.front(), sum};
  }

  std::vector<TensorId> add_backward(LayerContext&, const Forwarded&, TensorId output_gradient,
                                     const std::vector<bool>& needed) const override {
    std::vector<TensorId> gradients;
    for (bool is_needed : needed) gradients.push_back(is_needed ? output_gradient : no_tensor);
    return gradients;
  }
};

// The inputs side by side along the last axis: channels, or features.
class ConcatenateLayer final : public Layer {
 public:
  Shape infer_output(const std::vector<Shape>& inputs) const override {
    need_several(inputs);
    std::vector<std::int64_t> extents = inputs.front().extents();
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      std::vector<std::int64_t> outer = inputs[i].extents();
      std::vector<std::int64_t> first = inputs.front().extents();
      outer.pop_back();
      first.pop_back();
      if (outer != first) {
        throw Error(ErrorCode::shape_mismatch, "cannot concatenate shapes " + inputs.front().to_string() +
                                                   " and " + inputs[i].to_string() +
                                                   "; only the last extent may differ: choose strides "
                                                   "and padding that agree, or flatten the branches");
      }
      extents.back() += inputs[i].back();
    }
    return Shape(std::move(extents));
  }

  Forwarded add_forward(LayerContext& context, const std::vector<TensorId>& inputs) const override {
    Program& program = context.program;
    std::vector<Shape> shapes;
    for (TensorId input : inputs) shapes.push_back(sample_shape(program, input));
    const TensorId output = program.add_activation(infer_output(shapes), context.name + ".output");
    std::int64_t column = 0;
    for (TensorId input : inputs) {
      const std::int64_t columns = columns_of(program.tensor(input));
      program.add(CopyColumns{input, output, 0, column, columns});
      column += columns;
    }
    Forwarded forwarded{inputs.front(), output};
    forwarded.inputs = inputs;
    return forwarded;
  }

  std::vector<TensorId> add_backward(LayerContext& context, const Forwarded& forwarded,
                                     TensorId output_gradient,
                                     const std::vector<bool>& needed) const override {
    Program& program = context.program;
    std::vector<TensorId> gradients;
    std::int64_t column = 0;
    for (std::size_t i = 0; i < forwarded.inputs.size(); ++i) {
      const TensorId input = forwarded.inputs[i];
      const std::int64_t columns = columns_of(program.tensor(input));
      gradients.push_back(no_tensor);
      if (needed[i]) {
        gradients.back() =
            program.add_activation(sample_shape(program, input), context.name + ".input.gradient");
        program.add(CopyColumns{output_gradient, gradients.back(), column, 0, columns});
      }
      column += columns;
    }
    return gradients;
  }
};

}  // namespace

std::unique_ptr<Layer> make_add(const Values&) { return std::make_unique<AddLayer>(); }
std::unique_ptr<Layer> make_concatenate(const Values&) { return std::make_unique<ConcatenateLayer>(); }

}  // namespace ravine
