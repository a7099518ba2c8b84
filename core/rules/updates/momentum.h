#pragma once

#include "rules/updates/update.h"

namespace ravine {

// Classical: v <- gamma v + eta g, theta <- theta - v. B. Polyak, 1964; lectures L1, L2, L4.
// Damped: v <- gamma v + (1 - gamma) eta g, theta <- theta - v; lecture L3, whose alpha is gamma.
template <typename T>
struct Momentum {
  static constexpr std::string_view name = "momentum";
  static constexpr std::array<std::string_view, 1> slots = {"velocity"};
  T gamma;
  T eta;
  Momentum(const Values& settings, std::int64_t)
      : gamma(T(settings.real("momentum"))),
        eta(T(settings.real("learning_rate") *
              (settings.boolean("damped") ? 1.0 - settings.real("momentum") : 1.0))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& v) const {
    v = gamma * v + eta * g;
    theta -= v;
  }
};

}  // namespace ravine
