#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = e + (eta_0 - e) (1 - t / T)^p up to T, then e.
struct PolynomialDecay {
  static constexpr std::string_view name = "polynomial_decay";
  static constexpr bool waits = false;
  double duration, power, end;
  PolynomialDecay(const Values& settings, const Span& span)
      : duration(span.or_rest(settings.real("duration"))),
        power(settings.real("power")),
        end(settings.real("minimum")) {}
  double value(double base, double t) const {
    if (t >= duration) return end;
    return end + (base - end) * std::pow(1.0 - t / duration, power);
  }
  RobbinsMonro robbins_monro() const { return end > 0 ? squares_diverge : sum_is_finite; }
};

}  // namespace ravine
