#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = eta_0 f^(number of milestones <= t). K. He et al., "Deep residual learning", CVPR 2016,
// section 4.2.
struct MultiStep {
  static constexpr std::string_view name = "multi_step";
  static constexpr bool waits = false;
  const std::vector<double>& milestones;  // in order; the settings outlive the rule
  double factor;
  MultiStep(const Values& settings, const Span&)
      : milestones(settings.numbers("milestones")), factor(settings.real("factor")) {}
  double value(double base, double t) const {
    const auto passed = std::upper_bound(milestones.begin(), milestones.end(), t) - milestones.begin();
    return base * std::pow(factor, static_cast<double>(passed));
  }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
