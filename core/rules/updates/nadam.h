#pragma once

#include "rules/updates/update.h"

namespace ravine {

// mu_t = beta1 (1 - 0.96^(psi t) / 2), m and v as in Adam,
// m_bar = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t),
// theta <- theta - eta m_bar / (sqrt(v_hat) + epsilon), v_hat = v / (1 - beta2^t). Without the ramp: mu_t =
// beta1. T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016; an extension of the
// lectures' Adam.
template <typename T>
struct Nadam {
  static constexpr std::string_view name = "nadam";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  GradientMoments<T> moments;
  T epsilon;
  T rate_m = 0;      // eta mu_(t+1) / (1 - mu_1 ... mu_(t+1))
  T rate_g = 0;      // eta (1 - mu_t) / (1 - mu_1 ... mu_t)
  T root_corrector;  // 1 / sqrt(1 - beta2^t)
  Nadam(const Values& settings, std::int64_t t)
      : moments(settings),
        epsilon(T(settings.real("epsilon"))),
        root_corrector(T(1.0 / std::sqrt(one_minus_power(settings.real("beta2"), t)))) {
    const double beta1 = settings.real("beta1");
    const double half = settings.boolean("ramp") ? 0.5 : 0.0;
    const double psi = settings.real("momentum_decay");
    const auto mu = [&](std::int64_t i) {
      return beta1 * (1.0 - half * std::pow(0.96, psi * static_cast<double>(i)));
    };
    double product = 1;
    // What is left of the product soon no longer counts beside 1.
    for (std::int64_t i = 1; i <= t && product > 1e-18; ++i) product *= mu(i);
    const double eta = settings.real("learning_rate");
    rate_m = T(eta * mu(t + 1) / (1.0 - product * mu(t + 1)));
    rate_g = T(eta * (1.0 - mu(t)) / (1.0 - product));
  }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    moments.update(g, m, v);
    theta -= (rate_m * m + rate_g * g) / (square_root(v) * root_corrector + epsilon);
  }
};

}  // namespace ravine
