#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = eta_0 e^(-epsilon t). Lecture L1.
struct ExponentialDecay {
  static constexpr std::string_view name = "exponential_decay";
  static constexpr bool waits = false;
  double epsilon;
  ExponentialDecay(const Values& settings, const Span&) : epsilon(settings.real("decay")) {}
  double value(double base, double t) const { return base * std::exp(-epsilon * t); }
  RobbinsMonro robbins_monro() const { return epsilon > 0 ? sum_is_finite : squares_diverge; }
};

}  // namespace ravine
