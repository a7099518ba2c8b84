#pragma once

#include "rules/updates/update.h"

namespace ravine {

// m, v and the hats as in Adam; rho_inf = 2 / (1 - beta2) - 1, rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t).
// rho_t > 5: theta <- theta - eta r_t sqrt(1 - beta2^t) m_hat / (sqrt(v) + epsilon),
// r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t)). Else: theta <- theta -
// eta m_hat. L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020, algorithm
// 2, with the bound 5 and the epsilon of its authors' program (the paper: 4 and none); an extension of the
// lectures' Adam.
template <typename T>
struct Radam {
  static constexpr std::string_view name = "radam";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  GradientMoments<T> moments;
  T epsilon;
  bool adapts;
  T rate;
  Radam(const Values& settings, std::int64_t t)
      : moments(settings), epsilon(T(settings.real("epsilon"))), adapts(false) {
    const double correction_v = one_minus_power(settings.real("beta2"), t);
    const double rho_inf = 2.0 / (1.0 - settings.real("beta2")) - 1.0;
    const double rho = rho_inf - 2.0 * static_cast<double>(t) * (1.0 - correction_v) / correction_v;
    adapts = rho > 5.0;
    const double rectifier = adapts ? std::sqrt((rho - 4.0) * (rho - 2.0) * rho_inf /
                                                ((rho_inf - 4.0) * (rho_inf - 2.0) * rho) * correction_v)
                                    : 1.0;
    rate = T(settings.real("learning_rate") * rectifier / one_minus_power(settings.real("beta1"), t));
  }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    moments.update(g, m, v);
    theta -= rate * m / (adapts ? square_root(v) + epsilon : T(1));
  }
};

}  // namespace ravine
