// A specification with its shapes inferred and its parameters laid out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/layer.h"
#include "network/spec.h"

namespace ravine {

struct GraphParameter {
  std::string name;  // "dense_1.weight"
  int layer;
  ParameterSpec spec;
  std::int64_t offset;  // in elements, in the one flat buffer
};

struct GraphState {
  std::string name;  // "batch_normalization_1.moving_mean"
  StateSpec spec;
  std::int64_t offset;  // in elements, in the one flat buffer
};

struct GraphLayer {
  std::string name;
  std::string type;
  std::shared_ptr<const Layer> layer;
  std::vector<int> sources;  // where its inputs come from: layers, or -1 for the network's input
  std::vector<Shape> inputs;
  Shape output;
  int first_parameter;
  int parameter_count;
  int first_state = 0;
  int state_count = 0;
};

struct Graph {
  Shape input;
  std::vector<GraphLayer> layers;
  std::vector<GraphParameter> parameters;
  std::int64_t parameter_elements = 0;
  std::vector<GraphState> state = {};
  std::int64_t state_elements = 0;

  const Shape& output() const { return layers.empty() ? input : layers.back().output; }
};

// Infers every shape; throws Error(shape_mismatch) that names the layer and both shapes.
Graph infer(const NetworkSpec& spec);

}  // namespace ravine
