#pragma once

#include "rules/schedule.h"

namespace ravine {

// From peak / d up to the peak and down to peak / (d f); with three phases first back to peak / d.
// L. Smith, N. Topin, "Super-convergence: very fast training using large learning rates", 2018.
struct OneCycle {
  static constexpr std::string_view name = "one_cycle";
  static constexpr bool waits = false;
  double duration, step, rise, peak, start, end;
  bool three_phases, straight;
  OneCycle(const Values& settings, const Span& span)
      : duration(span.or_rest(settings.real("duration"))),
        step(span.step),
        rise(settings.real("rise")),
        peak(settings.real("max_factor")),
        start(peak / settings.real("div_factor")),
        end(start / settings.real("final_div_factor")),
        three_phases(settings.boolean("three_phases")),
        straight(settings.text("anneal") == "linear") {}
  double value(double base, double t) const {
    const CyclePosition at = cycle_position(t, duration, rise, three_phases, step);
    const double from[] = {start, peak, start};
    const double to[] = {peak, three_phases ? start : end, end};
    return straight ? linear_between(base * from[at.phase], base * to[at.phase], at.share)
                    : cosine_between(base * from[at.phase], base * to[at.phase], at.share);
  }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
