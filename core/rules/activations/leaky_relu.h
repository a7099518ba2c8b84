#pragma once

#include <cmath>

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = x where x > 0, else slope x. A. Maas, A. Hannun, A. Ng, ICML workshop, 2013.
template <typename T>
struct LeakyRelu {
  static constexpr std::string_view name = "leaky_relu";
  static constexpr bool derivative_reads_input = false;
  T slope;  // above 0, so that y has the sign of x
  explicit LeakyRelu(const Values& settings) : slope(static_cast<T>(settings.real("slope"))) {}
  static double gain(const Values& settings) {
    return std::sqrt(2.0 / (1.0 + settings.real("slope") * settings.real("slope")));
  }
  RAVINE_HOST_DEVICE T forward(T x) const { return x < T(0) ? slope * x : x; }
  RAVINE_HOST_DEVICE T derivative(T, T y) const { return y > T(0) ? T(1) : slope; }
};

}  // namespace ravine
