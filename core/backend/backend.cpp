#include "backend/backend.h"

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
  });
  if (!found) throw Error(ErrorCode::internal, "no update rule '" + std::string(rule) + "'");
  return traits;
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
