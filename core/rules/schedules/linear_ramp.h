#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = s + (eta_0 - s) t / T up to T, then eta_0: momentum's way from 0.5 to 0.9 in lecture L1.
struct LinearRamp {
  static constexpr std::string_view name = "linear_ramp";
  static constexpr bool waits = false;
  double duration, start;
  LinearRamp(const Values& settings, const Span& span)
      : duration(span.or_rest(settings.real("duration"))), start(settings.real("start")) {}
  double value(double base, double t) const {
    return t >= duration ? base : linear_between(start, base, t / duration);
  }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
