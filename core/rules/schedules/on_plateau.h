#pragma once

#include "rules/schedule.h"

namespace ravine {

// Keeps the value; whoever measures the metric lowers the base (ravine/training/schedules.py). Lectures L1,
// L3.
struct OnPlateau {
  static constexpr std::string_view name = "on_plateau";
  static constexpr bool waits = true;
  OnPlateau(const Values&, const Span&) {}
  double value(double base, double) const { return base; }
  RobbinsMonro robbins_monro() const { return sums_depend; }
};

}  // namespace ravine
