#include "network/fusion.h"

#include <type_traits>

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
  for (TensorId id : lowered.crossing) ++count[static_cast<std::size_t>(program.root(id))];
  return count;
}

// Merges `next` into the operation before it; false where it does not follow from that or cannot be merged.
template <typename Before>
bool merge(Before& before, const Operation& next) {
  if constexpr (std::is_same_v<Before, ColumnNormalization>) return false;  // a pass of its own
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
  if constexpr (std::is_same_v<Before, ConvolutionInputGradient>) {
    if (const auto* add = std::get_if<Add>(&next); add && before.add == no_tensor) {
      if (add->left != before.output && add->right != before.output) return false;
      before.add = add->left == before.output ? add->right : add->left;
      before.output = add->output;
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

void merge_neighbours(LoweredProgram& lowered, const Merge& merge) {
  Program& program = lowered.program;
  const std::vector<int> read_count = readers(lowered);
  std::vector<Step> merged;
  for (Step& step : program.steps) {
    if (!merged.empty() && merged.back().section == step.section) {
      Operation& before = merged.back().operation;
      const std::vector<TensorId> outputs = outputs_of(before);
      const bool only_reader =
          !outputs.empty() && read_count[static_cast<std::size_t>(program.root(outputs.front()))] == 1;
      if (merge(before, step.operation, only_reader)) continue;
    }
    merged.push_back(std::move(step));
  }
  program.steps = std::move(merged);
}

void fuse(LoweredProgram& lowered) {
  if (!lowered.program.options.fuse) return;
  merge_neighbours(lowered, [](Operation& before, const Operation& next, bool only_reader) {
    return only_reader && std::visit([&](auto& operation) { return merge(operation, next); }, before);
  });
}

}  // namespace ravine
