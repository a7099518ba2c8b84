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

// Merges `next` into `product`; false where it does not follow from it.
bool merge(Product& product, const Operation& next) {
  if (product.activation || product.activation_gradient) return false;
  if (const auto* activation = std::get_if<Activation>(&next);
      activation && activation->input == product.output && product.observe.layer < 0) {
    product.activation = activation->rule;
    product.output = activation->output;
    product.observe = activation->observe;
    return true;
  }
  if (const auto* gradient = std::get_if<ActivationGradient>(&next);
      gradient && gradient->output_gradient == product.output && product.bias == no_tensor) {
    product.activation_gradient = gradient->rule;
    product.activation_input = gradient->input;
    product.activation_output = gradient->output;
    product.output = gradient->input_gradient;
    return true;
  }
  return false;
}

}  // namespace

void fuse(LoweredProgram& lowered) {
  Program& program = lowered.program;
  const std::vector<int> read_count = readers(lowered);
  std::vector<Step> fused;
  for (Step& step : program.steps) {
    if (!fused.empty()) {
      auto* product = std::get_if<Product>(&fused.back().operation);
      if (product != nullptr && read_count[static_cast<std::size_t>(program.root(product->output))] == 1 &&
          fused.back().section == step.section && merge(*product, step.operation)) {
        continue;
      }
    }
    fused.push_back(std::move(step));
  }
  program.steps = std::move(fused);
}

}  // namespace ravine
