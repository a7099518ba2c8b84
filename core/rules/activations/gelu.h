#pragma once

#include "rules/activations/activation.h"

namespace ravine {

// f(x) = x Phi(x), Phi the normal distribution function 1/2 (1 + erf(x / sqrt 2)); or Phi replaced by
// 1/2 (1 + tanh u) = 1 / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3). D. Hendrycks, K. Gimpel, 2016.
template <typename T>
struct Gelu {
  static constexpr std::string_view name = "gelu";
  static constexpr bool derivative_reads_input = true;
  T by_tanh;  // 1 or 0: both forms are computed, so that the loop has no branch
  explicit Gelu(const Values& settings) : by_tanh(settings.text("approximate") == "none" ? T(0) : T(1)) {}

  RAVINE_HOST_DEVICE T forward(T x) const {
    const T approximate = logistic(bounded(x));
    const T exact = normal(x);
    return finite_below(x) * (by_tanh > T(0) ? approximate : exact);
  }
  RAVINE_HOST_DEVICE T derivative(T x, T) const {
    const T c = bounded(x);
    const T s = logistic(c);
    const T approximate = s + c * s * (T(1) - s) * T(2) * scale * (T(1) + T(3) * cubic * c * c);
    constexpr T density_at_0 = T(0.39894228040143267794);
    const T exact = normal(x) + finite_below(x) * density_at_0 * exponential(T(-0.5) * x * x);
    return by_tanh > T(0) ? approximate : exact;
  }

 private:
  static constexpr T scale = T(0.79788456080286535588);
  static constexpr T cubic = T(0.044715);

  // Beyond 30 the logistic function has long been 0 or 1; x^3 must not overflow.
  RAVINE_HOST_DEVICE static T bounded(T x) { return x > T(30) ? T(30) : (x < T(-30) ? T(-30) : x); }
  RAVINE_HOST_DEVICE static T logistic(T x) {
    return T(1) / (T(1) + exponential(T(-2) * scale * (x + cubic * x * x * x)));
  }
  RAVINE_HOST_DEVICE static T normal(T x) {
    return T(0.5) * (T(1) + error_function(x * T(0.70710678118654752440)));
  }
};

}  // namespace ravine
