#include "network/partition.h"

#include <algorithm>

#include "base/errors.h"

namespace ravine {
namespace {

// The first of `count` blocks that a rank has.
std::int64_t first_block(std::int64_t count, int rank, int ranks) { return count * rank / ranks; }

std::int64_t blocks_of(std::int64_t count, int rank, int ranks) {
  return first_block(count, rank + 1, ranks) - first_block(count, rank, ranks);
}

Error wrong(const std::string& layer, const std::string& message) {
  return Error(ErrorCode::invalid_parameter, message).at_key("split").at_layer(layer);
}

// The layers whose units are split.
std::vector<bool> chosen(const Graph& graph, const Partition& partition) {
  std::vector<bool> chosen(graph.layers.size(), false);
  if (!partition.automatic) {
    for (const std::string& name : partition.split) {
      const auto found = std::find_if(graph.layers.begin(), graph.layers.end(),
                                      [&](const GraphLayer& layer) { return layer.name == name; });
      if (found == graph.layers.end()) {
        std::string names;
        for (const GraphLayer& layer : graph.layers) {
          if (layer.layer->unit_blocks().count > 0) names += (names.empty() ? "" : ", ") + layer.name;
        }
        throw wrong(name, "the network has no such layer; those that can be split: " + names);
      }
      chosen[static_cast<std::size_t>(found - graph.layers.begin())] = true;
    }
    return chosen;
  }
  bool is_last = true;
  for (std::size_t i = graph.layers.size(); i-- > 0;) {
    const auto [count, size] = graph.layers[i].layer->unit_blocks();
    if (count == 0) continue;
    const bool enough = count >= partition.ranks && count * size >= least_units_of_rank * partition.ranks;
    chosen[i] = !is_last && graph.layers[i].owner < 0 && enough;
    is_last = false;
  }
  return chosen;
}

UnitSplit split_of(const GraphLayer& layer, const Partition& partition) {
  const auto [count, size] = layer.layer->unit_blocks();
  const std::string ranks = std::to_string(partition.ranks) + " ranks";
  if (count == 0) throw wrong(layer.name, "only dense and convolution layers have units that can be split");
  if (layer.owner >= 0) {
    throw wrong(layer.name, "stands in a column, which one rank of the model group computes alone");
  }
  if (count < partition.ranks) {
    throw wrong(layer.name, "has " + std::to_string(count) +
                                (layer.layer->blocks_divide_input() ? " groups" : " units") +
                                ", fewer than the " + ranks +
                                " of the model group; split other layers, or use fewer ranks");
  }
  UnitSplit split;
  for (int rank = 0; rank < partition.ranks; ++rank) {
    const std::int64_t blocks = blocks_of(count, rank, partition.ranks);
    split.units.push_back(blocks * size);
    if (layer.layer->blocks_divide_input()) {
      split.input_columns.push_back(blocks * (layer.inputs.front().back() / count));
    }
  }
  split.own = layer.layer->with_blocks(blocks_of(count, partition.rank, partition.ranks));
  return split;
}

// What of an array a rank has: its units, all, or nothing.
Shape slice_of(const Graph& graph, const GraphLayer& layer, Slice& slice) {
  std::vector<std::int64_t> extents = slice.whole.extents();
  if (!graph.is_mine(layer)) {
    if (extents.empty()) return {0};
    extents.front() = 0;
  } else if (layer.split) {
    const std::int64_t elements = slice.whole.elements() / extents.front();
    extents.front() = layer.split->units[static_cast<std::size_t>(graph.rank)];
    for (int rank = 0; rank < graph.rank; ++rank) {
      slice.first += layer.split->units[static_cast<std::size_t>(rank)] * elements;
    }
  }
  return Shape(std::move(extents));
}

void slice_parameters(Graph& graph) {
  graph.parameter_elements = graph.state_elements = 0;
  for (GraphParameter& parameter : graph.parameters) {
    const GraphLayer& layer = graph.layers[static_cast<std::size_t>(parameter.layer)];
    parameter.spec.shape = slice_of(graph, layer, parameter.slice);
    parameter.offset = graph.parameter_elements;
    graph.parameter_elements += parameter.spec.shape.elements();
  }
  for (const GraphLayer& layer : graph.layers) {
    for (int i = layer.first_state; i < layer.first_state + layer.state_count; ++i) {
      GraphState& state = graph.state[static_cast<std::size_t>(i)];
      state.spec.shape = slice_of(graph, layer, state.slice);
      state.offset = graph.state_elements;
      graph.state_elements += state.spec.shape.elements();
    }
  }
}

}  // namespace

Graph partition(const Graph& whole, const NetworkSpec& spec, const Partition& partition) {
  Graph graph = whole;
  if (partition.ranks == 1) return graph;
  graph.rank = partition.rank;
  graph.ranks = partition.ranks;
  graph.whole = std::make_shared<const Graph>(whole);
  bool shares = false;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (spec.layers[i].columns != partition.ranks) continue;
    graph.layers[i].owner = spec.layers[i].column;
    shares = true;
  }
  const std::vector<bool> splits = chosen(graph, partition);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (splits[i]) graph.layers[i].split = split_of(graph.layers[i], partition);
    shares |= splits[i];
  }
  if (!shares) {
    const std::string ranks = std::to_string(partition.ranks);
    throw Error(ErrorCode::invalid_parameter,
                "there is nothing in this network that " + ranks + " ranks could share: no layer is split, " +
                    "no dense or convolution layer but the last has " + std::to_string(least_units_of_rank) +
                    " units a rank, and no block of columns has " + ranks +
                    "; name layers in split, or use model = 1")
        .at_key("model");
  }
  slice_parameters(graph);
  return graph;
}

}  // namespace ravine
