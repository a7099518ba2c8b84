#include "network/placement.h"

#include <algorithm>
#include <numeric>

namespace ravine {
namespace {

Shape with_columns(const Shape& shape, std::int64_t columns) {
  std::vector<std::int64_t> extents = shape.extents();
  extents.back() = columns;
  return Shape(std::move(extents));
}

std::int64_t of_rank(const std::vector<std::int64_t>& columns, const Graph& graph) {
  return columns[static_cast<std::size_t>(graph.rank)];
}

// The columns that this rank has of a tensor, apart.
TensorId add_own_columns(LayerContext& context, const Graph& graph, TensorId whole,
                         const std::vector<std::int64_t>& columns, const char* name) {
  Program& program = context.program;
  const std::int64_t first = std::accumulate(columns.begin(), columns.begin() + graph.rank, std::int64_t{0});
  const std::int64_t count = of_rank(columns, graph);
  const TensorId own =
      program.add_activation(with_columns(sample_shape(program, whole), count), context.name + name);
  program.add(CopyColumns{whole, own, first, 0, count});
  return own;
}

TensorId add_gathering(LayerContext& context, TensorId own, const Shape& shape,
                       const std::vector<std::int64_t>& columns, const char* name) {
  Program& program = context.program;
  const TensorId arrived = program.add_activation(shape, context.name + ".arrived");
  const TensorId output = program.add_activation(shape, context.name + name);
  program.add(GatherColumns{own, arrived, output, columns});
  return output;
}

// Whether a layer puts the columns of all ranks side by side, in order of rank: then they are gathered.
bool joins_ranks(const Graph& graph, const GraphLayer& layer) {
  if (graph.ranks == 1 || layer.owner >= 0 || layer.type != "concatenate") return false;
  if (layer.sources.size() != static_cast<std::size_t>(graph.ranks)) return false;
  for (std::size_t i = 0; i < layer.sources.size(); ++i) {
    const int source = layer.sources[i];
    if (source < 0 || graph.layers[static_cast<std::size_t>(source)].owner != static_cast<int>(i))
      return false;
  }
  return true;
}

std::vector<std::int64_t> joined_columns(const GraphLayer& layer) {
  std::vector<std::int64_t> columns;
  for (const Shape& input : layer.inputs) columns.push_back(input.back());
  return columns;
}

bool is_sent(const Graph& graph, int index) {
  const int owner = graph.layers[static_cast<std::size_t>(index)].owner;
  if (owner < 0) return false;
  if (index + 1 == static_cast<int>(graph.layers.size())) return true;
  return std::any_of(graph.layers.begin(), graph.layers.end(), [&](const GraphLayer& layer) {
    const bool reads = std::find(layer.sources.begin(), layer.sources.end(), index) != layer.sources.end();
    return reads && layer.owner != owner && !joins_ranks(graph, layer);
  });
}

}  // namespace

LayerTensors add_layer_forward(LayerContext& context, const Graph& graph, int index,
                               const std::vector<TensorId>& inputs) {
  const GraphLayer& layer = graph.layers[static_cast<std::size_t>(index)];
  if (!graph.is_mine(layer)) return {};
  LayerTensors tensors;
  if (joins_ranks(graph, layer)) {
    const TensorId own = inputs[static_cast<std::size_t>(graph.rank)];
    tensors.output = add_gathering(context, own, layer.output, joined_columns(layer), ".output");
    return tensors;
  }
  if (!layer.split) {
    tensors.own = layer.layer->add_forward(context, inputs);
    tensors.output = tensors.own.output;
    return tensors;
  }
  const UnitSplit& split = *layer.split;
  TensorId input = inputs.front();
  if (!split.input_columns.empty()) {
    input = add_own_columns(context, graph, input, split.input_columns, ".input.own");
  }
  tensors.own = split.own->add_forward(context, {input});
  tensors.output = add_gathering(context, tensors.own.output, layer.output, split.units, ".gathered");
  return tensors;
}

void add_layer_sending(LayerContext& context, const Graph& graph, int index, LayerTensors& tensors) {
  if (!is_sent(graph, index)) return;
  const GraphLayer& layer = graph.layers[static_cast<std::size_t>(index)];
  if (graph.is_mine(layer)) {
    context.program.add(Broadcast{layer.owner, tensors.output, no_tensor});
  } else {
    tensors.output = context.program.add_activation(layer.output, context.name + ".received");
    context.program.add(Broadcast{layer.owner, no_tensor, tensors.output});
  }
}

std::vector<TensorId> add_layer_backward(LayerContext& context, const Graph& graph, int index,
                                         const LayerTensors& forwarded, TensorId output_gradient,
                                         const std::vector<bool>& needed) {
  const GraphLayer& layer = graph.layers[static_cast<std::size_t>(index)];
  if (joins_ranks(graph, layer)) {
    std::vector<TensorId> gradients(needed.size(), no_tensor);
    const auto own = static_cast<std::size_t>(graph.rank);
    if (needed[own]) {
      gradients[own] =
          add_own_columns(context, graph, output_gradient, joined_columns(layer), ".input.gradient");
    }
    return gradients;
  }
  if (!layer.split) return layer.layer->add_backward(context, forwarded.own, output_gradient, needed);
  const UnitSplit& split = *layer.split;
  const TensorId own = add_own_columns(context, graph, output_gradient, split.units, ".output.gradient");
  const TensorId handed = split.own->add_backward(context, forwarded.own, own, needed).front();
  if (handed == no_tensor) return {no_tensor};
  if (!split.input_columns.empty()) {
    return {add_gathering(context, handed, layer.inputs.front(), split.input_columns, ".input.gathered")};
  }
  context.program.add(SumRanks{handed, handed});
  return {handed};
}

MeasuredBy measured_by(const Graph& graph, const std::vector<bool>& observed) {
  MeasuredBy by;
  const auto is_apart = [](int rank) { return rank != every_rank; };
  for (const GraphParameter& parameter : graph.parameters) {
    const GraphLayer& layer = graph.layers[static_cast<std::size_t>(parameter.layer)];
    by.parameters.push_back(layer.split ? each_a_slice : layer.owner);
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    by.layers.push_back(observed[i] ? graph.layers[i].owner : every_rank);
  }
  if (std::none_of(by.parameters.begin(), by.parameters.end(), is_apart)) by.parameters.clear();
  if (std::none_of(by.layers.begin(), by.layers.end(), is_apart)) by.layers.clear();
  return by;
}

}  // namespace ravine
