#pragma once

#include "rules/schedule.h"

namespace ravine {

// eta_t = e + (eta_0 - e) (1 + cos(pi T_cur / T_i)) / 2, T_0 = period, T_i = T_mult T_(i-1).
// I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
struct CosineRestarts {
  static constexpr std::string_view name = "cosine_restarts";
  static constexpr bool waits = false;
  double period, growth, end;
  CosineRestarts(const Values& settings, const Span&)
      : period(settings.real("period")),
        growth(settings.real("period_factor")),
        end(settings.real("minimum")) {}
  double value(double base, double t) const {
    if (growth == 1) return cosine_between(base, end, std::fmod(t, period) / period);
    // Period i begins at T_0 (m^i - 1) / (m - 1); the logarithm may be off by one at its very beginning.
    const auto begin = [&](double i) { return period * (std::pow(growth, i) - 1) / (growth - 1); };
    double i = std::floor(std::log1p(t / period * (growth - 1)) / std::log(growth));
    if (i > 0 && t < begin(i)) --i;
    if (t >= begin(i + 1)) ++i;
    return cosine_between(base, end, (t - begin(i)) / (period * std::pow(growth, i)));
  }
  RobbinsMonro robbins_monro() const { return squares_diverge; }
};

}  // namespace ravine
