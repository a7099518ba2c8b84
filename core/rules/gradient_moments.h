// Running averages of gradients and their squares: what several update rules share.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/host_device.h"
#include "base/values.h"
#include "rules/elementary.h"

namespace ravine {

// 1 - beta^t, what a running average that began at 0 is too small by.
inline double one_minus_power(double beta, std::int64_t t) {
  return 1.0 - std::pow(beta, static_cast<double>(t));
}

// What a running average is divided by: "standard" 1 - beta^t, "constant" 1 - beta, "none" 1.
inline double correction(const Values& settings, std::string_view beta, std::int64_t t) {
  const std::string& form = settings.text("correction");
  if (form == "none") return 1.0;
  return one_minus_power(settings.real(beta), form == "constant" ? 1 : t);
}

// sqrt(x + epsilon) with epsilon "inside", sqrt(x) + epsilon with epsilon "outside".
template <typename T>
struct EpsilonRoot {
  T inside, outside;
  explicit EpsilonRoot(const Values& settings)
      : inside(settings.text("epsilon_position") == "inside" ? T(settings.real("epsilon")) : T(0)),
        outside(settings.text("epsilon_position") == "outside" ? T(settings.real("epsilon")) : T(0)) {}
  RAVINE_HOST_DEVICE T operator()(T x) const { return square_root(x + inside) + outside; }
};

// m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2.
template <typename T>
struct GradientMoments {
  T beta1, beta2, one_minus_beta1, one_minus_beta2;
  explicit GradientMoments(const Values& settings)
      : beta1(T(settings.real("beta1"))),
        beta2(T(settings.real("beta2"))),
        one_minus_beta1(T(1.0 - settings.real("beta1"))),
        one_minus_beta2(T(1.0 - settings.real("beta2"))) {}
  RAVINE_HOST_DEVICE void update(T g, T& m, T& v) const {
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
  }
};

}  // namespace ravine
