// Losses that are the mean of a rule over a sample's outputs.
#include "base/errors.h"
#include "losses/loss.h"
#include "rules/losses/list.h"

namespace ravine {
namespace {

// What the rule of that name says of itself.
struct Traits {
  bool has_accuracy = false;
  bool gives_logits = false;
  std::string_view targets;  // in words; empty where every number will do
  bool (*accepts)(double target) = nullptr;
  std::string_view output_setting;  // the name of a setting with a number for each output, or empty
};

Traits traits_of(std::string_view name) {
  Traits traits;
  ElementwiseLossRules::for_each([&]<template <typename> class Rule>() {
    using Judge = Rule<double>;
    if (Judge::name != name) return;
    traits.has_accuracy = requires { &Judge::right; };
    traits.gives_logits = requires { Judge::gives_logits; };
    if constexpr (requires { Judge::output_setting; }) traits.output_setting = Judge::output_setting;
    if constexpr (requires { &Judge::accepts; }) {
      traits.targets = Judge::targets;
      traits.accepts = Judge::accepts;
    }
  });
  return traits;
}

class ElementwiseLossAdapter final : public Loss {
 public:
  explicit ElementwiseLossAdapter(Component rule) : rule_(std::move(rule)), traits_(traits_of(rule_.name)) {}

  TargetKind target_kind() const override { return TargetKind::values; }
  bool has_accuracy() const override { return traits_.has_accuracy; }

  void check_output(const Shape& output) const override {
    if (traits_.output_setting.empty()) return;
    const auto numbers = static_cast<std::int64_t>(output_numbers().size());
    if (numbers == 1 || numbers == output.elements()) return;
    throw Error(ErrorCode::invalid_parameter, "there are " + std::to_string(numbers) + " numbers for " +
                                                  std::to_string(output.elements()) +
                                                  " outputs; give one for all, or one an output")
        .at_key(std::string(traits_.output_setting));
  }

  void check_values(const void* targets, DType dtype, std::int64_t count,
                    std::int64_t columns) const override {
    if (traits_.accepts == nullptr) return;
    for (std::int64_t i = 0; i < count; ++i) {
      const double target = dtype == DType::float64 ? static_cast<const double*>(targets)[i]
                                                    : static_cast<const float*>(targets)[i];
      if (traits_.accepts(target)) continue;
      throw Error(ErrorCode::invalid_parameter, "the target " + std::to_string(target) + " of row " +
                                                    std::to_string(i / columns) +
                                                    " means nothing to the loss " + rule_.name +
                                                    ", which takes targets " + std::string(traits_.targets))
          .at_key("targets");
    }
  }

  void add(Program& program, TensorId prediction, const Targets& targets, TensorId gradient) const override {
    std::vector<double> numbers;
    if (!traits_.output_setting.empty() && output_numbers() != std::vector<double>{1.0}) {
      numbers = output_numbers();
      const std::int64_t outputs = program.tensor(prediction).shape.elements() / program.batch();
      if (numbers.size() == 1) numbers.assign(static_cast<std::size_t>(outputs), numbers.front());
    }
    program.add(ElementwiseLoss{rule_, prediction, targets.values, targets.weights, gradient, numbers});
  }

  TensorId add_link(Program& program, TensorId prediction) const override {
    if (!traits_.gives_logits) return prediction;
    const auto& extents = program.tensor(prediction).shape.extents();
    const TensorId probabilities = program.add_activation(
        Shape(std::vector<std::int64_t>(extents.begin() + 1, extents.end())), "probabilities");
    program.add(Activation{Component{"sigmoid", {}}, prediction, probabilities});
    return probabilities;
  }

 private:
  const std::vector<double>& output_numbers() const { return rule_.values.numbers(traits_.output_setting); }

  Component rule_;
  Traits traits_;
};

}  // namespace

std::unique_ptr<Loss> make_elementwise_loss(const Component& component) {
  return std::make_unique<ElementwiseLossAdapter>(component);
}

}  // namespace ravine
