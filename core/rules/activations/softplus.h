#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = log(1 + e^x) = max(0, x) + log(1 + e^-|x|), f' = 1 / (1 + e^-x) = 1 - e^-y. C. Dugas et al., 2001.
template <typename T>
struct Softplus {
  static constexpr std::string_view name = "softplus";
  static constexpr bool derivative_reads_input = false;
  explicit Softplus(const Values&) {}
  RAVINE_HOST_DEVICE T forward(T x) const {
    const T tail = logarithm_one_plus(exponential(x < T(0) ? x : -x));
    return (x < T(0) ? T(0) : x) + tail;
  }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return -exponential_minus_one(-y); }
};

}  // namespace ravine
