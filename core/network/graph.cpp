#include "network/graph.h"

#include <set>

#include "base/errors.h"

namespace ravine {
namespace {

// The layers that a layer reads: those it names, or the one before it.
std::vector<int> sources_of(const LayerSpec& spec, const Graph& graph) {
  if (spec.inputs.empty()) return {static_cast<int>(graph.layers.size()) - 1};
  std::vector<int> sources;
  for (const std::string& name : spec.inputs) {
    int found = name == "input" ? -1 : -2;
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
      if (graph.layers[i].name == name) found = static_cast<int>(i);
    }
    if (found == -2) {
      throw Error(ErrorCode::invalid_parameter, "no layer '" + name + "' comes before it")
          .at_key("inputs")
          .at_layer(spec.name);
    }
    sources.push_back(found);
  }
  return sources;
}

// Settings that do not fit each other name their layer.
std::unique_ptr<Layer> made(const LayerSpec& spec) {
  try {
    return make_layer(spec.component);
  } catch (Error& error) {
    throw error.at_layer(spec.name);
  }
}

void check_all_used(const Graph& graph) {
  std::set<int> used{static_cast<int>(graph.layers.size()) - 1};
  for (const GraphLayer& layer : graph.layers) used.insert(layer.sources.begin(), layer.sources.end());
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (used.contains(static_cast<int>(i))) continue;
    throw Error(ErrorCode::invalid_parameter,
                "no other layer takes its output; name it in the 'inputs' of one")
        .at_layer(graph.layers[i].name);
  }
}

}  // namespace

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
  std::set<std::string> names{"input"};
  for (const LayerSpec& layer_spec : spec.layers) {
    if (!names.insert(layer_spec.name).second) {
      throw Error(ErrorCode::invalid_parameter,
                  layer_spec.name == "input"
                      ? "no layer may be called 'input', which names the network's input"
                      : "two layers are called '" + layer_spec.name + "'; give one of them another name")
          .at_key("name")
          .at_layer(layer_spec.name);
    }
    GraphLayer layer{layer_spec.name,
                     layer_spec.component.name,
                     made(layer_spec),
                     sources_of(layer_spec, graph),
                     {},
                     {},
                     static_cast<int>(graph.parameters.size()),
                     0};
    for (int source : layer.sources) {
      layer.inputs.push_back(source < 0 ? graph.input
                                        : graph.layers[static_cast<std::size_t>(source)].output);
    }
    try {
      layer.output = layer.layer->infer_output(layer.inputs);
      for (ParameterSpec& parameter : layer.layer->infer_parameters(layer.inputs)) {
        const Shape shape = parameter.shape;
        const std::int64_t elements = shape.elements();
        graph.parameters.push_back({layer.name + "." + parameter.name,
                                    static_cast<int>(graph.layers.size()),
                                    std::move(parameter),
                                    graph.parameter_elements,
                                    {shape}});
        graph.parameter_elements += elements;
        ++layer.parameter_count;
      }
      layer.first_state = static_cast<int>(graph.state.size());
      for (StateSpec& state : layer.layer->infer_state(layer.inputs)) {
        const Shape shape = state.shape;
        const std::int64_t elements = shape.elements();
        graph.state.push_back(
            {layer.name + "." + state.name, std::move(state), graph.state_elements, {shape}});
        graph.state_elements += elements;
        ++layer.state_count;
      }
    } catch (Error& error) {
      throw error.at_layer(layer.name);
    }
    graph.layers.push_back(std::move(layer));
  }
  check_all_used(graph);
  return graph;
}

}  // namespace ravine
