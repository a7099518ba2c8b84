#pragma once

#include "rules/updates/update.h"

namespace ravine {

// E[g^2] <- gamma E[g^2] + (1 - gamma) g^2, RMS[x] = sqrt(E[x^2] + epsilon).
// Preliminary: dtheta = -eta / RMS[g] g. Final: dtheta = -eta RMS[dtheta] / RMS[g] g with eta = 1, where
// RMS[dtheta] is that of the steps before: E[dtheta^2] <- gamma E[dtheta^2] + (1 - gamma) dtheta^2 comes
// after. M. Zeiler, arXiv 1212.5701, 2012, algorithm 1; lectures L0, L3, L4.
template <typename T>
struct Adadelta {
  static constexpr std::string_view name = "adadelta";
  static constexpr std::array<std::string_view, 2> slots = {"square_average", "step_average"};
  T eta, gamma, one_minus_gamma, epsilon;
  T of_steps, of_one;  // 1, 0 in the final form, 0, 1 in the preliminary one: no branch in the loop
  Adadelta(const Values& settings, std::int64_t)
      : eta(T(settings.real("learning_rate"))),
        gamma(T(settings.real("decay"))),
        one_minus_gamma(T(1.0 - settings.real("decay"))),
        epsilon(T(settings.real("epsilon"))),
        of_steps(settings.text("form") == "final" ? T(1) : T(0)),
        of_one(T(1) - of_steps) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& E_g, T& E_step) const {
    E_g = gamma * E_g + one_minus_gamma * (g * g);
    const T scale = square_root(of_steps * (E_step + epsilon) + of_one);
    const T step = scale / square_root(E_g + epsilon) * g;
    E_step = gamma * E_step + one_minus_gamma * (step * step);
    theta -= eta * step;
  }
};

}  // namespace ravine
