// A specification with its shapes inferred and its parameters laid out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "layers/layer.h"
#include "network/spec.h"

namespace ravine {

// What a rank of a model group has of an array: a slice of its first extent. Without such a group, all.
struct Slice {
  Shape whole;             // the shape of the array
  std::int64_t first = 0;  // elements of it before the slice
};

struct GraphParameter {
  std::string name;  // "dense_1.weight"
  int layer;
  ParameterSpec spec;   // its shape is that of the slice
  std::int64_t offset;  // in elements, in the one flat buffer
  Slice slice = {};
};

struct GraphState {
  std::string name;  // "batch_normalization_1.moving_mean"
  StateSpec spec;
  std::int64_t offset;  // in elements, in the one flat buffer
  Slice slice = {};
};

// How the units of a layer are split over the ranks of a model group.
struct UnitSplit {
  std::vector<std::int64_t> units;          // of each rank
  std::vector<std::int64_t> input_columns;  // that each rank reads; empty: all
  std::shared_ptr<const Layer> own;         // the layer with this rank's units
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
  // In a model group: the rank that alone computes it, or -1 where all do; and the units of each, if split.
  int owner = -1;
  std::optional<UnitSplit> split = {};
};

struct Graph {
  Shape input;
  std::vector<GraphLayer> layers;
  std::vector<GraphParameter> parameters;
  std::int64_t parameter_elements = 0;
  std::vector<GraphState> state = {};
  std::int64_t state_elements = 0;
  // A rank's part of a network: its place in the model group, and the network as one rank would compute it.
  int rank = 0;
  int ranks = 1;
  std::shared_ptr<const Graph> whole = nullptr;

  bool is_mine(const GraphLayer& layer) const { return layer.owner < 0 || layer.owner == rank; }
  const Shape& output() const { return layers.empty() ? input : layers.back().output; }
};

// Infers every shape; throws Error(shape_mismatch) that names the layer and both shapes.
Graph infer(const NetworkSpec& spec);

}  // namespace ravine
