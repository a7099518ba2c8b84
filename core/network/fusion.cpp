#include "network/fusion.h"

#include <algorithm>

namespace ravine {
namespace {

// How often each tensor's memory is read.
std::vector<int> readers(const LoweredProgram& lowered) {
  const Program& program = lowered.program;
  std::vector<int> count(program.tensors.size(), 0);
  for (const Step& step : program.steps) {
    for (TensorId id : inputs_of(step.operation)) ++count[static_cast<std::size_t>(program.root(id))];
  }
  // What the caller reads counts too.
  for (TensorId id : {lowered.output, lowered.shown, lowered.output_gradient}) {
    if (id != no_tensor) ++count[static_cast<std::size_t>(program.root(id))];
  }
  return count;
}

// Merges `next` into the operation before it; false where it does not follow from that or cannot be merged.
template <typename Before>
bool merge(Before& before, const Operation& next) {
  if constexpr (requires { before.activation; }) {
    if (before.activation) return false;
  }
  if constexpr (requires { before.activation_gradient; }) {
    if (before.activation_gradient) return false;
  }
  if constexpr (requires { before.activation; }) {
    if (const auto* activation = std::get_if<Activation>(&next);
        activation && activation->input == before.output && before.observe.layer < 0) {
      before.activation = activation->rule;
      before.output = activation->output;
      before.observe = activation->observe;
      return true;
    }
  }
  if constexpr (requires { before.activation_gradient; }) {
    if constexpr (requires { before.bias; }) {
      if (before.bias != no_tensor) return false;
    }
    if (const auto* gradient = std::get_if<ActivationGradient>(&next);
        gradient && gradient->output_gradient == before.output) {
      before.activation_gradient = gradient->rule;
      before.activation_input = gradient->input;
      before.activation_output = gradient->output;
      before.output = gradient->input_gradient;
      return true;
    }
  }
  return false;
}

}  // namespace

void fuse(LoweredProgram& lowered) {
  Program& program = lowered.program;
  if (!program.options.fuse) return;
  const std::vector<int> read_count = readers(lowered);
  std::vector<Step> fused;
  for (Step& step : program.steps) {
    if (!fused.empty()) {
      Step& before = fused.back();
      const std::vector<TensorId> outputs = outputs_of(before.operation);
      const TensorId output = outputs.empty() ? no_tensor : outputs.front();
      if (output != no_tensor && read_count[static_cast<std::size_t>(program.root(output))] == 1 &&
          before.section == step.section &&
          std::visit([&](auto& operation) { return merge(operation, step.operation); }, before.operation)) {
        continue;
      }
    }
    fused.push_back(std::move(step));
  }
  program.steps = std::move(fused);
}

}  // namespace ravine
