#pragma once

#include "rules/schedule.h"

namespace ravine {

// Keeps the value; whoever sums the training loss changes the base (ravine/training/schedules.py). Lecture
// L3; R. Battiti, "Accelerated backpropagation learning: two optimization methods", Complex Systems 3, 1989.
struct BoldDriver {
  static constexpr std::string_view name = "bold_driver";
  static constexpr bool waits = true;
  BoldDriver(const Values&, const Span&) {}
  double value(double base, double) const { return base; }
  RobbinsMonro robbins_monro() const { return sums_depend; }
};

}  // namespace ravine
