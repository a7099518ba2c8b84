// What a schedule is made of: a pure function of time, evaluated on the host.
//
// struct Rule {
//   static constexpr std::string_view name;
//   static constexpr bool waits;            // true: the value changes by what is measured, not by time alone
//   Rule(const Values& settings, const Span& span);
//   double value(double base, double t) const;   // t: time in the schedule's unit, 0 at its start
//   RobbinsMonro robbins_monro() const;          // for a base above 0
// };
// The letters inside a rule are those of the cited equation.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "base/values.h"

namespace ravine {

// The time that a schedule has, in its unit.
struct Span {
  double length;  // to the end of the run
  double step;    // one training step

  // A length that was chosen, or for 0 the whole.
  double or_rest(double chosen) const { return chosen > 0 ? chosen : length; }
};

// Sum of eta_t infinite, sum of eta_t^2 finite: H. Robbins, S. Monro, "A stochastic approximation method",
// 1951.
struct RobbinsMonro {
  enum class Verdict { no, yes, depends } verdict;
  std::string_view reason;
};

inline constexpr RobbinsMonro squares_diverge = {
    RobbinsMonro::Verdict::no, "the sum of the squares is infinite: the steps do not become small"};
inline constexpr RobbinsMonro sum_is_finite = {RobbinsMonro::Verdict::no,
                                               "the sum is finite: the search may end before the minimum"};
inline constexpr RobbinsMonro sums_fit = {RobbinsMonro::Verdict::yes,
                                          "the sum is infinite, the sum of the squares is finite"};
inline constexpr RobbinsMonro sums_depend = {RobbinsMonro::Verdict::depends,
                                             "the run decides when the value changes"};

// From `from` at share 0 to `to` at share 1.
inline double linear_between(double from, double to, double share) { return from + share * (to - from); }
inline double cosine_between(double from, double to, double share) {
  return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * share));
}

// Where a cycle of two or three phases is: the phase, and the share of it that is over.
struct CyclePosition {
  int phase;
  double share;
};

// L. Smith, N. Topin, "Super-convergence", 2018: up, down; or up, down, and down further. The last step of a
// phase has its end value, as in PyTorch's OneCycleLR.
inline CyclePosition cycle_position(double t, double length, double rise, bool three_phases, double step) {
  const double ends[3] = {rise * length - step, three_phases ? 2 * rise * length - 2 * step : length - step,
                          length - step};
  const int last = three_phases ? 2 : 1;
  double start = 0;
  for (int phase = 0; phase <= last; ++phase) {
    if (t <= ends[phase] || phase == last) {
      const double share = ends[phase] > start ? (t - start) / (ends[phase] - start) : 1.0;
      return {phase, std::clamp(share, 0.0, 1.0)};
    }
    start = ends[phase];
  }
  return {last, 1.0};
}

}  // namespace ravine
