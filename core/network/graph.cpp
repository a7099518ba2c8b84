#include "network/graph.h"

#include <set>

#include "base/errors.h"

namespace ravine {

Graph infer(const NetworkSpec& spec) {
  if (spec.layers.empty()) {
    throw Error(ErrorCode::invalid_parameter, "the network has no layers; add at least one").at_key("layers");
  }
  for (std::int64_t extent : spec.input.extents()) {
    if (extent < 1) {
      throw Error(ErrorCode::shape_mismatch,
                  "the input shape " + spec.input.to_string() + " has an empty extent")
          .at_key("input_shape");
    }
  }
  Graph graph{spec.input, {}, {}, 0};
  std::set<std::string> names;
  Shape shape = spec.input;
  for (const LayerSpec& layer_spec : spec.layers) {
    if (!names.insert(layer_spec.name).second) {
      throw Error(ErrorCode::invalid_parameter,
                  "two layers are called '" + layer_spec.name + "'; give one of them another name")
          .at_key("name")
          .at_layer(layer_spec.name);
    }
    GraphLayer layer{layer_spec.name,
                     layer_spec.component.name,
                     make_layer(layer_spec.component),
                     shape,
                     {},
                     static_cast<int>(graph.parameters.size()),
                     0};
    try {
      layer.output = layer.layer->output_shape(shape);
      for (ParameterSpec& parameter : layer.layer->parameters(shape)) {
        const std::int64_t elements = parameter.shape.elements();
        graph.parameters.push_back({layer.name + "." + parameter.name, static_cast<int>(graph.layers.size()),
                                    std::move(parameter), graph.parameter_elements});
        graph.parameter_elements += elements;
        ++layer.parameter_count;
      }
    } catch (Error& error) {
      throw error.at_layer(layer.name);
    }
    shape = layer.output;
    graph.layers.push_back(std::move(layer));
  }
  return graph;
}

}  // namespace ravine
