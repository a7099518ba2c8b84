#pragma once

#include <cmath>

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = max(0, x), f' = 1 where y > 0, else 0. V. Nair, G. Hinton, ICML 2010.
template <typename T>
struct Relu {
  static constexpr std::string_view name = "relu";
  static constexpr bool derivative_reads_input = false;
  explicit Relu(const Values&) {}
  static double gain(const Values&) { return std::sqrt(2.0); }
  // Written so that NaN stays NaN.
  RAVINE_HOST_DEVICE T forward(T x) const { return x < T(0) ? T(0) : x; }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return y > T(0) ? T(1) : T(0); }
};

}  // namespace ravine
