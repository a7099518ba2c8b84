#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = lambda x where x > 0, else lambda alpha (e^x - 1): mean 0 and variance 1 are its fixed point.
// G. Klambauer et al., NeurIPS 2017.
template <typename T>
struct Selu {
  static constexpr std::string_view name = "selu";
  static constexpr bool derivative_reads_input = false;
  static constexpr T lambda = T(1.0507009873554804934193349852946);
  static constexpr T alpha = T(1.6732632423543772848170429916717);
  explicit Selu(const Values&) {}
  static double gain(const Values&) { return 0.75; }
  RAVINE_HOST_DEVICE T forward(T x) const {
    return lambda * (x < T(0) ? alpha * exponential_minus_one(x) : x);
  }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return y > T(0) ? lambda : y + lambda * alpha; }
};

}  // namespace ravine
