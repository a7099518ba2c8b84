#include "network/model_group.h"

#include <cstring>

#include "base/errors.h"
#include "network/network.h"
#include "network/partition.h"
#include "network/placement.h"

namespace ravine {

Graph part_of(const Graph& whole, const NetworkSpec& spec, const Ranks& ranks) {
  if (ranks.model == nullptr) return whole;
  return partition(whole, spec,
                   {ranks.model->rank(), ranks.model->ranks(), !ranks.split.has_value(),
                    ranks.split.value_or(std::vector<std::string>{})});
}

std::unique_ptr<MeasurementMerge> merge_of(const Graph& graph, const Ranks& ranks) {
  if (graph.ranks == 1) return nullptr;
  return std::make_unique<MeasurementMerge>(
      *ranks.model, measured_by(graph, std::vector<bool>(graph.layers.size(), false)));
}

// Rules that see more of a parameter than its elements, one by one, need the whole of it.
void check_optimizer(const Optimizer& optimizer, const Graph& graph) {
  const std::string& rule = optimizer.rule().name;
  const std::string ranks = std::to_string(graph.ranks) + " ranks";
  if (optimizer.is_full_batch()) {
    throw Error(ErrorCode::invalid_parameter,
                rule + " takes one step for all parameters together, and this network's lie on " + ranks +
                    "; use a rule that goes element by element, or model = 1")
        .at_key("optimizer");
  }
  if (!optimizer.sees_matrices()) return;
  for (const GraphParameter& parameter : graph.parameters) {
    const GraphLayer& layer = graph.layers[static_cast<std::size_t>(parameter.layer)];
    if (!parameter.spec.matrix || !layer.split) continue;
    throw Error(ErrorCode::invalid_parameter, rule + " needs whole matrices, and '" + parameter.name +
                                                  "' is split over " + ranks +
                                                  "; split no such layer, or use another rule")
        .at_key("optimizer");
  }
}

std::map<std::string, ArraySlice> slices_of(const Graph& graph) {
  std::map<std::string, ArraySlice> slices;
  const auto add = [&](const std::string& name, const Slice& slice, const Shape& own,
                       const GraphLayer& layer) {
    ArraySlice& added = slices[name] = {slice.whole, slice.first, own.elements(), layer.owner, {}};
    if (!layer.split) return;
    for (std::int64_t units : layer.split->units) {
      added.of_ranks.push_back(units * (slice.whole.elements() / slice.whole[0]));
    }
  };
  for (const GraphParameter& parameter : graph.parameters) {
    add(parameter.name, parameter.slice, parameter.spec.shape,
        graph.layers[static_cast<std::size_t>(parameter.layer)]);
  }
  for (const GraphLayer& layer : graph.layers) {
    for (int i = layer.first_state; i < layer.first_state + layer.state_count; ++i) {
      const GraphState& state = graph.state[static_cast<std::size_t>(i)];
      add(state.name, state.slice, state.spec.shape, layer);
    }
  }
  return slices;
}

void Network::gather(const std::string& name, const void* slice, void* whole, DType dtype) {
  const Turn turn(*this);
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  const ArraySlice& array = slices_.at(name);
  if (array.of_ranks.empty()) {
    std::memcpy(whole, slice, static_cast<std::size_t>(array.count * element));
    if (array.owner >= 0) model()->broadcast(whole, array.whole.elements() * element, array.owner);
    return;
  }
  std::vector<std::int64_t> bytes;
  for (std::int64_t elements : array.of_ranks) bytes.push_back(elements * element);
  model()->gather(slice, whole, bytes.data());
}

}  // namespace ravine
