#include "network/lowering.h"

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
          slice(lowered.gradients)};
}

// The operation that a layer ends with, if it computes anything, measures the layer's output.
void observe(Program& program, TensorId output, int layer) {
  if (program.steps.empty()) return;
  Step& last = program.steps.back();
  if (last.layer != layer || outputs_of(last.operation) != std::vector<TensorId>{output}) return;
  if (Observation* observation = observation_of(last.operation)) observation->layer = layer;
}

}  // namespace

LoweredProgram lower(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype) {
  const bool training = mode == Mode::training;
  LoweredProgram lowered{Program(batch, dtype)};
  Program& program = lowered.program;
  lowered.input = program.add_tensor({graph.input.with_batch(batch), dtype, TensorRole::input, "input"});
  add_parameters(lowered, graph, training);

  std::vector<Forwarded> forwarded;
  TensorId tensor = lowered.input;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const int index = static_cast<int>(i);
    program.layer = index;
    LayerContext context = context_of(lowered, graph.layers[i], index, training);
    forwarded.push_back(graph.layers[i].layer->forward(context, tensor));
    tensor = forwarded.back().output;
    if (training) observe(program, tensor, index);
  }
  lowered.output = tensor;

  program.layer = -1;
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
  loss.add(program, tensor, lowered.targets, lowered.output_gradient);
  if (!training) return lowered;

  program.section = Section::backward;
  // Nothing below the first layer with parameters needs a gradient.
  std::size_t first = 0;
  while (first < graph.layers.size() && graph.layers[first].parameter_count == 0) ++first;
  TensorId gradient = lowered.output_gradient;
  for (std::size_t i = graph.layers.size(); i-- > first;) {
    const int index = static_cast<int>(i);
    program.layer = index;
    LayerContext context = context_of(lowered, graph.layers[i], index, training);
    gradient = graph.layers[i].layer->backward(context, forwarded[i], gradient, i > first);
  }
  return lowered;
}

}  // namespace ravine
