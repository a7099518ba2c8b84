#pragma once

#include "rules/schedule.h"

namespace ravine {

// Momentum's part in a one-cycle schedule: from m_0 down to the lowest value while the learning rate rises,
// and back. L. Smith, "A disciplined approach to neural network hyper-parameters", 2018, section 4.
struct CounterCycle {
  static constexpr std::string_view name = "counter_cycle";
  static constexpr bool waits = false;
  double duration, step, rise, low;
  bool three_phases, straight;
  CounterCycle(const Values& settings, const Span& span)
      : duration(span.or_rest(settings.real("duration"))),
        step(span.step),
        rise(settings.real("rise")),
        low(settings.real("minimum")),
        three_phases(settings.boolean("three_phases")),
        straight(settings.text("anneal") == "linear") {}
  double value(double base, double t) const {
    const CyclePosition at = cycle_position(t, duration, rise, three_phases, step);
    const double from = at.phase == 1 ? low : base;
    const double to = at.phase == 0 ? low : base;
    return straight ? linear_between(from, to, at.share) : cosine_between(from, to, at.share);
  }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
