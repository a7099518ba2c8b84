#include "network/execution_plan.h"

#include <algorithm>
#include <utility>

#include "network/fusion.h"
#include "network/normalization_fusion.h"
#include "network/phases.h"
#include "network/recomputation.h"
#include "network/storage.h"
#include "network/synchronization.h"

namespace ravine {
namespace {

TensorId visible_output(const LoweredProgram& lowered) {
  return lowered.shown != no_tensor ? lowered.shown : lowered.output;
}

// All passes that change operations.
void transform(LoweredProgram& lowered, const ComputeOptions& options, bool alone) {
  lowered.program.options = options;
  if (!alone) synchronize_normalization(lowered);
  fuse(lowered);
  fuse_normalization(lowered);
  store_in_bfloat16(lowered);
  recompute(lowered);
}

std::byte* offset_by(void* base, std::int64_t bytes) { return static_cast<std::byte*>(base) + bytes; }

}  // namespace

PlannedProgram plan_program(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                            const ComputeOptions& options, bool alone, Communicator* model) {
  LoweredProgram lowered = lower(graph, loss, mode, batch, dtype, alone);
  lowered.program.model = model;
  transform(lowered, options, alone);
  Tiling tiling = tiling_of(lowered.program);
  if (graph.whole) {
    LoweredProgram whole = lower(*graph.whole, loss, mode, batch, dtype, alone);
    transform(whole, options, alone);
    tiling = tiling_of(whole.program);
  }
  plan_phases(lowered, tiling);
  std::vector<TensorId> kept{visible_output(lowered)};
  if (lowered.output_gradient != no_tensor) kept.push_back(lowered.output_gradient);
  MemoryPlan memory = plan_memory(lowered.program, kept);
  return {std::move(lowered), std::move(memory)};
}

ExecutionPlan::ExecutionPlan(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                             const ComputeOptions& options, Backend& backend, const ParameterMemory& memory,
                             bool alone, Communicator* model)
    : ExecutionPlan(graph, plan_program(graph, loss, mode, batch, dtype, options, alone, model), backend,
                    memory) {}

ExecutionPlan::ExecutionPlan(const Graph& graph, PlannedProgram planned, Backend& backend,
                             const ParameterMemory& memory)
    : lowered_(std::move(planned.lowered)),
      memory_(std::move(planned.memory)),
      parameters_(memory.parameters) {
  for (const GraphLayer& layer : graph.layers) layer_names_.push_back(layer.name);
  const Program& program = lowered_.program;
  bytes_beside_ = backend.bytes_beside(program);
  arena_ = backend.allocate(static_cast<std::size_t>(memory_.bytes));
  prepared_ = backend.prepare(program, static_cast<int>(graph.layers.size()),
                              static_cast<int>(graph.parameters.size()));
  const auto element = static_cast<std::int64_t>(size_of(program.dtype()));
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const auto id = static_cast<TensorId>(i);
    const Tensor& tensor = program.tensors[i];
    if (tensor.alias != no_tensor) continue;
    if (tensor.role == TensorRole::state) {
      prepared_->bind(id, offset_by(memory.state, tensor.offset * element));
    } else if (memory_.offsets[i] >= 0) {
      prepared_->bind(id, in_arena(id));
    }
  }
  for (const Step& step : program.steps) changes_state_ |= step.section == Section::state;
  bind_parameters(nullptr);
  bind_gradients(memory.gradients);
  find_phases();
  if (lowered_.output_gradient != no_tensor) output_gradient_ = in_arena(lowered_.output_gradient);
}

void* ExecutionPlan::in_arena(TensorId id) const {
  return offset_by(arena_->data(), memory_.offsets[static_cast<std::size_t>(id)]);
}

void ExecutionPlan::bind_output(void* data) {
  const TensorId root = lowered_.program.root(visible_output(lowered_));
  if (!output_is_input()) prepared_->bind(root, data == nullptr ? in_arena(root) : data);
}

bool ExecutionPlan::output_is_input() const {
  return lowered_.program.root(visible_output(lowered_)) == lowered_.input;
}

void ExecutionPlan::bind_parameters(const void* parameters) {
  void* base = parameters == nullptr ? parameters_ : const_cast<void*>(parameters);
  const auto element = static_cast<std::int64_t>(size_of(lowered_.program.dtype()));
  for (TensorId id : lowered_.parameters) {
    prepared_->bind(id, offset_by(base, lowered_.program.tensor(id).offset * element));
  }
}

void ExecutionPlan::bind_output_gradient(const void* data) {
  prepared_->bind(lowered_.output_gradient, data == nullptr ? output_gradient_ : const_cast<void*>(data));
}

void ExecutionPlan::bind_gradients(void* gradients) {
  const auto element = static_cast<std::int64_t>(size_of(lowered_.program.dtype()));
  for (TensorId id : lowered_.gradients) {
    prepared_->bind(id, offset_by(gradients, lowered_.program.tensor(id).offset * element));
  }
}

void ExecutionPlan::find_phases() {
  const Program& program = lowered_.program;
  gradient_phases_.resize(lowered_.gradients.size());
  for (const Phase& phase : program.phases) {
    if (program.steps[phase.first].section == Section::state) break;
    for (std::size_t i = phase.first; i < phase.first + phase.count; ++i) {
      if (Meeting* meeting = prepared_->meeting(i)) meetings_.push_back({phases_, meeting});
      for (const auto& ids :
           {inputs_of(program.steps[i].operation), outputs_of(program.steps[i].operation)}) {
        for (TensorId id : ids) {
          const auto gradient =
              std::find(lowered_.gradients.begin(), lowered_.gradients.end(), program.root(id));
          if (gradient == lowered_.gradients.end()) continue;
          gradient_phases_[static_cast<std::size_t>(gradient - lowered_.gradients.begin())] = phases_;
        }
      }
    }
    ++phases_;
  }
}

bool ExecutionPlan::observes(int layer) {
  for (Step& step : lowered_.program.steps) {
    for (const Observation* observation : observations_of(step.operation)) {
      if (observation->layer == layer) return true;
    }
    const auto* merge = std::get_if<MergeMeasurements>(&step.operation);
    if (merge != nullptr && !merge->by.layers.empty() &&
        merge->by.layers[static_cast<std::size_t>(layer)] != every_rank) {
      return true;
    }
  }
  return false;
}

double ExecutionPlan::flops() const {
  double total = 0;
  for (const Step& step : lowered_.program.steps) total += flops_of(step.operation, lowered_.program);
  return total;
}

double ExecutionPlan::bytes_sent() const {
  double total = 0;
  for (const Step& step : lowered_.program.steps)
    total += ravine::bytes_sent(step.operation, lowered_.program);
  return total;
}

std::vector<PlanRow> ExecutionPlan::rows() const {
  const Program& program = lowered_.program;
  const std::vector<std::string> engines = prepared_->engines();
  std::vector<PlanRow> rows;
  std::size_t phase = 0;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    while (i >= program.phases[phase].first + program.phases[phase].count) ++phase;
    const std::vector<TensorId> outputs = outputs_of(step.operation);
    const std::vector<TensorId> inputs = inputs_of(step.operation);
    const TensorId shown = !outputs.empty() ? outputs.front() : !inputs.empty() ? inputs.front() : no_tensor;
    const bool has_shape = shown != no_tensor;
    const char* section = step.section == Section::forward ? "forward"
                          : step.section == Section::loss  ? "loss"
                          : step.section == Section::state ? "state"
                                                           : "backward";
    rows.push_back({static_cast<int>(phase) + 1, program.phases[phase].by_rows, section,
                    step.layer < 0 ? "" : layer_names_[static_cast<std::size_t>(step.layer)],
                    name_of(step.operation), engines[i],
                    has_shape ? program.tensor(shown).shape.to_string() : "",
                    std::string(name_of(has_shape ? program.tensor(shown).dtype : program.dtype())),
                    flops_of(step.operation, program), bytes_of(step.operation, program),
                    ravine::bytes_sent(step.operation, program)});
  }
  return rows;
}

}  // namespace ravine
