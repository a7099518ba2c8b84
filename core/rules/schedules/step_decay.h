#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = eta_0 f^floor(t / T). Lecture L1.
struct StepDecay {
  static constexpr std::string_view name = "step_decay";
  static constexpr bool waits = false;
  double period, factor;
  StepDecay(const Values& settings, const Span&)
      : period(settings.real("period")), factor(settings.real("factor")) {}
  double value(double base, double t) const { return base * std::pow(factor, std::floor(t / period)); }
  RobbinsMonro robbins_monro() const { return factor < 1 ? sum_is_finite : squares_diverge; }
};

}  // namespace ravine
