#include "network/lowering.h"

#include <algorithm>

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
void observe(Program& program, TensorId output, int layer) {
  if (program.steps.empty()) return;
  Step& last = program.steps.back();
  const std::vector<TensorId> outputs = outputs_of(last.operation);
  if (last.layer != layer || outputs.empty() || program.root(outputs.front()) != program.root(output)) {
    return;
  }
  if (Observation* observation = observation_of(last.operation)) observation->layer = layer;
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

void add_backward(LoweredProgram& lowered, const Graph& graph, const std::vector<Forwarded>& forwarded) {
  const std::size_t layers = graph.layers.size();
  // Gradients go only to layers that have parameters, or that have such layers below them.
  std::vector<bool> wanted(layers, false);
  const auto is_wanted = [&](int source) { return source >= 0 && wanted[static_cast<std::size_t>(source)]; };
  for (std::size_t i = 0; i < layers; ++i) {
    const GraphLayer& layer = graph.layers[i];
    wanted[i] =
        layer.parameter_count > 0 || std::any_of(layer.sources.begin(), layer.sources.end(), is_wanted);
  }
  std::vector<std::vector<TensorId>> gradients(layers);
  gradients.back().push_back(lowered.output_gradient);
  for (std::size_t i = layers; i-- > 0;) {
    if (!wanted[i] || gradients[i].empty()) continue;
    const GraphLayer& layer = graph.layers[i];
    lowered.program.layer = static_cast<int>(i);
    LayerContext context = context_of(lowered, layer, static_cast<int>(i), true);
    const TensorId own = sum_of(lowered.program, gradients[i]);
    std::vector<bool> needed;
    for (int source : layer.sources) needed.push_back(is_wanted(source));
    const std::vector<TensorId> handed = layer.layer->add_backward(context, forwarded[i], own, needed);
    for (std::size_t input = 0; input < handed.size(); ++input) {
      if (needed[input]) gradients[static_cast<std::size_t>(layer.sources[input])].push_back(handed[input]);
    }
  }
}

}  // namespace

LoweredProgram lower(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                     bool alone) {
  const bool training = mode == Mode::training;
  LoweredProgram lowered{Program(batch, dtype)};
  Program& program = lowered.program;
  lowered.input = program.add_tensor({graph.input.with_batch(batch), dtype, TensorRole::input, "input"});
  add_parameters(lowered, graph, training);
  add_state(lowered, graph);

  std::vector<Forwarded> forwarded;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const int index = static_cast<int>(i);
    program.layer = index;
    LayerContext context = context_of(lowered, graph.layers[i], index, training);
    context.alone = alone;
    std::vector<TensorId> inputs;
    for (int source : graph.layers[i].sources) {
      inputs.push_back(source < 0 ? lowered.input : forwarded[static_cast<std::size_t>(source)].output);
    }
    forwarded.push_back(graph.layers[i].layer->add_forward(context, inputs));
    if (mode == Mode::net_moments && observe_net(lowered, index)) continue;
    if (training || mode == Mode::moments || mode == Mode::net_moments) {
      observe(program, forwarded.back().output, index);
    }
  }
  const TensorId tensor = forwarded.back().output;
  lowered.output = tensor;

  program.layer = -1;
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
  // What layers keep is changed at the end of a step: whatever it reads lives until then.
  std::stable_partition(program.steps.begin(), program.steps.end(),
                        [](const Step& step) { return step.section != Section::state; });
  return lowered;
}

}  // namespace ravine
