#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = x where x > 0, else alpha (e^x - 1); f' = y + alpha there.
// D. Clevert, T. Unterthiner, S. Hochreiter, ICLR 2016.
template <typename T>
struct Elu {
  static constexpr std::string_view name = "elu";
  static constexpr bool derivative_reads_input = false;
  T alpha;
  explicit Elu(const Values& settings) : alpha(static_cast<T>(settings.real("alpha"))) {}
  RAVINE_HOST_DEVICE T forward(T x) const { return x < T(0) ? alpha * exponential_minus_one(x) : x; }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return y > T(0) ? T(1) : y + alpha; }
};

}  // namespace ravine
