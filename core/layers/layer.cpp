#include "layers/layer.h"

#include "base/errors.h"
#include "layers/list.h"

namespace ravine {

std::unique_ptr<Layer> make_layer(const Component& component) {
  for (const LayerType& type : layer_types) {
    if (type.name == component.name) return type.make(component.values);
  }
  throw Error(ErrorCode::internal, "no layer type '" + component.name + "'");
}

Shape UnaryLayer::infer_output(const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1) {
    throw Error(ErrorCode::invalid_parameter, "takes one input, got " + std::to_string(inputs.size()) +
                                                  "; join branches with a layer 'add' or 'concatenate'")
        .at_key("inputs");
  }
  return output_shape(inputs.front());
}

Component constant(double value) {
  Component initializer{"constant", {}};
  initializer.values.set("value", value);
  return initializer;
}

Shape sample_shape(const Program& program, TensorId tensor) {
  const auto& extents = program.tensor(tensor).shape.extents();
  return Shape(std::vector<std::int64_t>(extents.begin() + 1, extents.end()));
}

}  // namespace ravine
