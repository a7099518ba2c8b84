#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = eta_0.
struct ConstantSchedule {
  static constexpr std::string_view name = "constant";
  static constexpr bool waits = false;
  ConstantSchedule(const Values&, const Span&) {}
  double value(double base, double) const { return base; }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
