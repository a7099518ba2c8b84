#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = e + (eta_0 - e) (1 + cos(pi t / T)) / 2 up to T, then e.
// I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
struct CosineAnnealing {
  static constexpr std::string_view name = "cosine";
  static constexpr bool waits = false;
  double duration, end;
  CosineAnnealing(const Values& settings, const Span& span)
      : duration(span.or_rest(settings.real("duration"))), end(settings.real("minimum")) {}
  double value(double base, double t) const {
    return t >= duration ? end : cosine_between(base, end, t / duration);
  }
  RobbinsMonro robbins_monro() const { return end > 0 ? squares_diverge : sum_is_finite; }
};

}  // namespace ravine
