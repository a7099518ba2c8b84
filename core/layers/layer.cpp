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

Shape sample_shape(const Program& program, TensorId tensor) {
  const auto& extents = program.tensor(tensor).shape.extents();
  return Shape(std::vector<std::int64_t>(extents.begin() + 1, extents.end()));
}

}  // namespace ravine
