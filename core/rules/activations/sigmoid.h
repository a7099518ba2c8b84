#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = 1 / (1 + e^-x), f' = y (1 - y).
template <typename T>
struct Sigmoid {
  static constexpr std::string_view name = "sigmoid";
  static constexpr bool derivative_reads_input = false;
  explicit Sigmoid(const Values&) {}
  static double gain(const Values&) { return 1; }
  RAVINE_HOST_DEVICE T forward(T x) const { return T(1) / (T(1) + exponential(-x)); }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return y * (T(1) - y); }
};

}  // namespace ravine
