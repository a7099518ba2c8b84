#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = tanh x, f' = 1 - y^2. Y. LeCun et al., "Efficient BackProp", 1998.
template <typename T>
struct Tanh {
  static constexpr std::string_view name = "tanh";
  static constexpr bool derivative_reads_input = false;
  explicit Tanh(const Values&) {}
  static double gain(const Values&) { return 5.0 / 3; }
  RAVINE_HOST_DEVICE T forward(T x) const { return hyperbolic_tangent(x); }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return T(1) - y * y; }
};

}  // namespace ravine
