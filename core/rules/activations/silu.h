#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = x s, s = 1 / (1 + e^-x); f' = s (1 + x (1 - s)). S. Elfwing, E. Uchibe, K. Doya, 2018 ("swish").
template <typename T>
struct Silu {
  static constexpr std::string_view name = "silu";
  static constexpr bool derivative_reads_input = true;
  explicit Silu(const Values&) {}
  RAVINE_HOST_DEVICE T forward(T x) const { return finite_below(x) / (T(1) + exponential(-x)); }
  RAVINE_HOST_DEVICE T derivative(T x, T) const {
    const T s = T(1) / (T(1) + exponential(-x));
    return s * (T(1) + finite_below(x) * (T(1) - s));
  }
};

}  // namespace ravine
