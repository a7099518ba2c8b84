#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = eta_0 / (1 + epsilon t)^p, p = 1 in lecture L1. With 1/2 < p <= 1 the sums behave as Robbins and
// Monro ask for.
struct InverseDecay {
  static constexpr std::string_view name = "inverse_decay";
  static constexpr bool waits = false;
  double epsilon, power;
  InverseDecay(const Values& settings, const Span&)
      : epsilon(settings.real("decay")), power(settings.real("power")) {}
  double value(double base, double t) const { return base / std::pow(1.0 + epsilon * t, power); }
  RobbinsMonro robbins_monro() const {
    if (epsilon == 0 || power <= 0.5) return squares_diverge;
    return power <= 1 ? sums_fit : sum_is_finite;
  }
};

}  // namespace ravine
