#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = x.
template <typename T>
struct Identity {
  static constexpr std::string_view name = "identity";
  static constexpr bool derivative_reads_input = false;
  explicit Identity(const Values&) {}
  static double gain(const Values&) { return 1; }
  RAVINE_HOST_DEVICE T forward(T x) const { return x; }
  RAVINE_HOST_DEVICE T derivative(T, T) const { return T(1); }
};

}  // namespace ravine
