#pragma once

#include "rules/updates/update.h"

namespace ravine {

// r <- r + kappa where delta_bar and g agree in sign, (1 - phi) r where they differ, r where one of them is
// 0; theta <- theta - eta r g, then delta_bar <- theta' delta_bar + (1 - theta') g. A weight's own rate is
// eta r, r = 1 at first. R. Jacobs, "Increased rates of convergence through learning rate adaptation", Neural
// Networks 1, 1988, whose kappa is eta times this one; lecture L3, "Learning rate".
template <typename T>
struct DeltaBarDelta {
  static constexpr std::string_view name = "delta_bar_delta";
  static constexpr std::array<std::string_view, 2> slots = {"relative_rate", "gradient_average"};
  T first;  // r before the first step
  T eta, kappa, one_minus_phi, decay_average, one_minus_decay_average;
  DeltaBarDelta(const Values& settings, std::int64_t t)
      : first(t == 1 ? T(1) : T(0)),
        eta(T(settings.real("learning_rate"))),
        kappa(T(settings.real("increase"))),
        one_minus_phi(T(1.0 - settings.real("decrease"))),
        decay_average(T(settings.real("decay"))),
        one_minus_decay_average(T(1.0 - settings.real("decay"))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& r, T& delta_bar) const {
    const T agreement = sign(g) * sign(delta_bar);
    r = r + first + (agreement > T(0) ? kappa : T(0));
    r *= agreement < T(0) ? one_minus_phi : T(1);
    theta -= eta * r * g;
    delta_bar = decay_average * delta_bar + one_minus_decay_average * g;
  }
};

}  // namespace ravine
