#include "network/lowering.h"

#include <algorithm>

#include "network/placement.h"

namespace ravine {
namespace {

void add_parameters(LoweredProgram& lowered, const Graph& graph, bool training) {
  for (const GraphParameter& parameter : graph.parameters) {
    const DType dtype = lowered.program.dtype();
    lowered.parameters.push_back(lowered.program.add_tensor(
        {parameter.spec.shape, dtype, TensorRole::parameter, parameter.name, parameter.offset}));
    if (!training) continue;
    lowered.gradients.push_back(lowered.program.add_tensor(
        {parameter.spec.shape, dtype, TensorRole::gradient, parameter.name + ".gradient", parameter.offset}));
  }
}

void add_state(LoweredProgram& lowered, const Graph& graph) {
  for (const GraphState& state : graph.state) {
    lowered.state.push_back(lowered.program.add_tensor(
        {state.spec.shape, lowered.program.dtype(), TensorRole::state, state.name, state.offset}));
  }
}

LayerContext context_of(LoweredProgram& lowered, const GraphLayer& layer, int index, bool training) {
  const auto slice = [&](const std::vector<TensorId>& ids) {
    if (ids.empty()) return ids;
    const auto begin = ids.begin() + layer.first_parameter;
    return std::vector<TensorId>(begin, begin + layer.parameter_count);
  };
  return {lowered.program,
          training,
          layer.name,
          static_cast<std::uint32_t>(index),
          layer.first_parameter,
          slice(lowered.parameters),
          slice(lowered.gradients),
          {lowered.state.begin() + layer.first_state,
           lowered.state.begin() + layer.first_state + layer.state_count}};
}

// The operation that a layer ends with, if it computes anything, measures the layer's output.
void observe(Program& program, TensorId output, int layer, bool is_split) {
  if (program.steps.empty()) return;
  Step& last = program.steps.back();
  const std::vector<TensorId> outputs = outputs_of(last.operation);
  // A concatenation is not measured, even where it gathers the columns of several ranks.
  if (std::holds_alternative<GatherColumns>(last.operation) && !is_split) return;
  if (last.layer != layer || outputs.empty() || program.root(outputs.front()) != program.root(output)) {
    return;
  }
  if (Observation* observation = observation_of(last.operation)) observation->layer = layer;
}

// Among the ranks of a model group: lets all know the moments of layers that some ranks measure.
void merge_moments(LoweredProgram& lowered, const Graph& graph, const std::vector<bool>& observed,
                   const std::vector<bool>& observed_in_slices) {
  MeasuredBy by = measured_by(graph, observed);
  by.parameters.clear();
  by.units.resize(graph.layers.size());
  for (std::size_t i = 0; i < observed_in_slices.size(); ++i) {
    if (!observed_in_slices[i]) continue;
    by.layers.resize(graph.layers.size(), every_rank);
    by.layers[i] = each_a_slice;
    by.units[i] = graph.layers[i].split->units;
  }
  if (!by.layers.empty()) lowered.program.add(MergeMeasurements{std::move(by)});
}

// The same of the squares of gradients.
void merge_squares(LoweredProgram& lowered, const Graph& graph) {
  MeasuredBy by = measured_by(graph, std::vector<bool>(graph.layers.size(), false));
  lowered.program.layer = -1;
  if (!by.parameters.empty()) lowered.program.add(MergeMeasurements{std::move(by)});
}

// The last operation of the layer that reads a parameter of it measures instead, where there is one.
bool observe_net(LoweredProgram& lowered, int layer) {
  for (std::size_t i = lowered.program.steps.size(); i-- > 0;) {
    Step& step = lowered.program.steps[i];
    if (step.layer != layer) return false;
    Observation* observation = observation_of(step.operation);
    for (TensorId id : inputs_of(step.operation)) {
      if (observation == nullptr || lowered.program.tensor(id).role != TensorRole::parameter) continue;
      observation->layer = layer;
      return true;
    }
  }
  return false;
}

// The gradient of a layer's output: the sum of what the layers that take it hand back.
TensorId sum_of(Program& program, const std::vector<TensorId>& gradients) {
  TensorId sum = gradients.front();
  for (std::size_t i = 1; i < gradients.size(); ++i) {
    const TensorId next = program.add_activation(sample_shape(program, sum), "gradient.sum");
    program.add(Add{sum, gradients[i], next});
    sum = next;
  }
  return sum;
}

// What the layers that take a layer's output hand back of its gradient.
struct HandedBack {
  std::vector<TensorId> gradients = {};
  // In a model group, of those of one rank alone: this rank's are `apart`.
  std::vector<TensorId> apart = {};
  bool crosses = false;  // some of these belong to another rank than the layer
};

// The gradient of the output, once all that take it have handed theirs back; no_tensor on ranks that have no
// use for it.
TensorId total_of(Program& program, const Graph& graph, const GraphLayer& layer, const HandedBack& handed) {
  std::vector<TensorId> all = handed.gradients;
  const TensorId apart = handed.apart.empty() ? no_tensor : sum_of(program, handed.apart);
  if (handed.crosses) {
    all.push_back(program.add_activation(layer.output, "gradient.ranks"));
    program.add(SumRanks{apart, all.back()});
  } else if (apart != no_tensor) {
    all.push_back(apart);
  }
  return graph.is_mine(layer) ? sum_of(program, all) : no_tensor;
}

void add_backward(LoweredProgram& lowered, const Graph& graph, const std::vector<LayerTensors>& forwarded) {
  const std::size_t layers = graph.layers.size();
  // Gradients go only to layers that have parameters, or that have such layers below them.
  std::vector<bool> wanted(layers, false);
  const auto is_wanted = [&](int source) { return source >= 0 && wanted[static_cast<std::size_t>(source)]; };
  for (std::size_t i = 0; i < layers; ++i) {
    const GraphLayer& layer = graph.layers[i];
    wanted[i] =
        layer.parameter_count > 0 || std::any_of(layer.sources.begin(), layer.sources.end(), is_wanted);
  }
  std::vector<HandedBack> handed_back(layers);
  handed_back.back().gradients.push_back(lowered.output_gradient);
  for (std::size_t i = layers; i-- > 0;) {
    if (!wanted[i]) continue;
    const GraphLayer& layer = graph.layers[i];
    lowered.program.layer = static_cast<int>(i);
    const TensorId own = total_of(lowered.program, graph, layer, handed_back[i]);
    const bool crosses = std::any_of(layer.sources.begin(), layer.sources.end(), [&](int source) {
      return source >= 0 && graph.layers[static_cast<std::size_t>(source)].owner != layer.owner;
    });
    if (crosses && own != no_tensor) lowered.crossing.push_back(own);
    std::vector<bool> needed;
    for (int source : layer.sources) {
      needed.push_back(is_wanted(source));
      if (!needed.back()) continue;
      const GraphLayer& below = graph.layers[static_cast<std::size_t>(source)];
      if (layer.owner >= 0 && layer.owner != below.owner) {
        handed_back[static_cast<std::size_t>(source)].crosses = true;
      }
      // A split layer's is a sum over all ranks, whoever needs it.
      needed.back() = layer.split || layer.owner >= 0 || graph.is_mine(below);
    }
    if (!graph.is_mine(layer)) continue;
    LayerContext context = context_of(lowered, layer, static_cast<int>(i), true);
    const std::vector<TensorId> handed =
        add_layer_backward(context, graph, static_cast<int>(i), forwarded[i], own, needed);
    for (std::size_t input = 0; input < handed.size(); ++input) {
      if (!needed[input]) continue;
      HandedBack& below = handed_back[static_cast<std::size_t>(layer.sources[input])];
      (layer.owner < 0 ? below.gradients : below.apart).push_back(handed[input]);
    }
  }
}

}  // namespace

std::vector<bool> observed_layers(const LoweredProgram& lowered, const Graph& graph) {
  std::vector<bool> observed(graph.layers.size(), false);
  for (const Step& step : lowered.program.steps) {
    for (const Observation* observation : observations_of(const_cast<Operation&>(step.operation))) {
      if (observation->layer >= 0) observed[static_cast<std::size_t>(observation->layer)] = true;
    }
  }
  return observed;
}

LoweredProgram lower(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                     bool alone) {
  const bool training = mode == Mode::training;
  LoweredProgram lowered{Program(batch, dtype)};
  Program& program = lowered.program;
  lowered.input = program.add_tensor({graph.input.with_batch(batch), dtype, TensorRole::input, "input"});
  add_parameters(lowered, graph, training);
  add_state(lowered, graph);

  const bool measures = training || mode == Mode::moments || mode == Mode::net_moments;
  std::vector<bool> in_slices(graph.layers.size(), false);
  std::vector<LayerTensors> forwarded;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const int index = static_cast<int>(i);
    program.layer = index;
    LayerContext context = context_of(lowered, graph.layers[i], index, training);
    context.alone = alone;
    std::vector<TensorId> inputs;
    for (int source : graph.layers[i].sources) {
      inputs.push_back(source < 0 ? lowered.input : forwarded[static_cast<std::size_t>(source)].output);
      const int owner = source < 0 ? -1 : graph.layers[static_cast<std::size_t>(source)].owner;
      if (owner != graph.layers[i].owner && inputs.back() != no_tensor) {
        lowered.crossing.push_back(inputs.back());
      }
    }
    LayerTensors tensors = add_layer_forward(context, graph, index, inputs);
    const GraphLayer& layer = graph.layers[i];
    if (measures && graph.is_mine(layer)) {
      const bool of_net = mode == Mode::net_moments && observe_net(lowered, index);
      if (!of_net) observe(program, tensors.output, index, layer.split.has_value());
      in_slices[i] = of_net && layer.split;
    }
    add_layer_sending(context, graph, index, tensors);
    forwarded.push_back(std::move(tensors));
  }
  const TensorId tensor = forwarded.back().output;
  lowered.output = tensor;

  program.layer = -1;
  if (measures && graph.whole) {
    merge_moments(lowered, graph,
                  observed_layers(lower(*graph.whole, loss, mode, batch, dtype, alone), graph), in_slices);
  }
  if (mode == Mode::moments || mode == Mode::net_moments) return lowered;
  if (mode == Mode::prediction) {
    lowered.shown = loss.add_link(program, tensor);
    return lowered;
  }

  program.section = Section::loss;
  const Shape target_shape = loss.target_kind() == TargetKind::labels ? Shape{} : graph.output();
  lowered.targets = program.add_tensor({target_shape.with_batch(batch),
                                        loss.target_kind() == TargetKind::labels ? DType::int32 : dtype,
                                        TensorRole::target, "targets"});
  if (training) lowered.output_gradient = program.add_activation(graph.output(), "output.gradient");
  lowered.weights = program.add_tensor({Shape{}.with_batch(batch), dtype, TensorRole::target, "weights"});
  if (loss.target_kind() == TargetKind::labels) {
    lowered.second_labels =
        program.add_tensor({Shape{}.with_batch(batch), DType::int32, TensorRole::target, "second labels"});
    lowered.shares = program.add_tensor({Shape{}.with_batch(batch), dtype, TensorRole::target, "shares"});
  }
  loss.add(program, tensor, {lowered.targets, lowered.weights, lowered.second_labels, lowered.shares},
           lowered.output_gradient);
  if (!training) return lowered;

  program.section = Section::backward;
  add_backward(lowered, graph, forwarded);
  if (graph.whole) merge_squares(lowered, graph);
  // What layers keep is changed at the end of a step: whatever it reads lives until then.
  std::stable_partition(program.steps.begin(), program.steps.end(),
                        [](const Step& step) { return step.section != Section::state; });
  return lowered;
}

}  // namespace ravine
