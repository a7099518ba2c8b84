#include "backend/backend.h"

#include <cmath>

#include "base/errors.h"
#include "rules/activations/list.h"
#include "rules/updates/list.h"

namespace ravine {

UpdateRuleTraits update_rule_traits(std::string_view rule) {
  UpdateRuleTraits traits{};
  bool found = false;
  UpdateRules::for_each([&]<template <typename> class Rule>() {
    if (Rule<float>::name != rule) return;
    found = true;
    traits.slots.assign(Rule<float>::slots.begin(), Rule<float>::slots.end());
    traits.looks_ahead = requires { &Rule<float>::look_ahead; };
    traits.matrices = requires { &Rule<float>::direction; };
  });
  if (!found) throw Error(ErrorCode::internal, "no update rule '" + std::string(rule) + "'");
  return traits;
}

std::vector<std::string> update_rules_with_decay() {
  std::vector<std::string> names;
  UpdateRules::for_each([&]<template <typename> class Rule>() {
    if constexpr (requires { &Rule<float>::decay; }) names.emplace_back(Rule<float>::name);
  });
  return names;
}

ActivationMoments activation_moments(const Component& rule) {
  // Simpson's rule on both sides of 0, where functions may have a kink; beyond 12 the density is below 1e-31.
  constexpr int intervals = 1 << 14;
  constexpr double limit = 12;
  constexpr double step = limit / intervals;
  const double peak = 1 / std::sqrt(8 * std::atan(1.0));
  double sums[2] = {0, 0};
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    if (Rule<double>::name != rule.name) return;
    const Rule<double> function(rule.values);
    for (int index = 0; index <= intervals; ++index) {
      const double weight = index == 0 || index == intervals ? 1 : index % 2 == 1 ? 4 : 2;
      const double z = index * step;
      const double density = weight * step / 3 * peak * std::exp(-z * z / 2);
      for (const double value : {function.forward(z), function.forward(-z)}) {
        sums[0] += density * value;
        sums[1] += density * value * value;
      }
    }
  });
  return {sums[0], sums[1] - sums[0] * sums[0]};
}

bool activation_reads_input(std::string_view rule) {
  bool reads = false;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    if (Rule<float>::name == rule) reads = Rule<float>::derivative_reads_input;
  });
  return reads;
}

std::shared_ptr<Backend> make_backend(const Device& device, int threads) {
  return device.kind == DeviceKind::cpu ? make_cpu_backend(threads) : make_cuda_backend(device.index);
}

}  // namespace ravine
