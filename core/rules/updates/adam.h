#pragma once

#include "rules/updates/update.h"

namespace ravine {

// m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
// theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon), m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t).
// D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
template <typename T>
struct Adam {
  static constexpr std::string_view name = "adam";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  T beta1, beta2, epsilon;
  T one_minus_beta1, one_minus_beta2;
  T rate;            // eta / (1 - beta1^t)
  T root_corrector;  // 1 / sqrt(1 - beta2^t)
  Adam(const Values& settings, std::int64_t t)
      : beta1(T(settings.real("beta1"))),
        beta2(T(settings.real("beta2"))),
        epsilon(T(settings.real("epsilon"))),
        one_minus_beta1(T(1.0 - settings.real("beta1"))),
        one_minus_beta2(T(1.0 - settings.real("beta2"))),
        rate(T(settings.real("learning_rate") /
               (1.0 - std::pow(settings.real("beta1"), static_cast<double>(t))))),
        root_corrector(T(1.0 / std::sqrt(1.0 - std::pow(settings.real("beta2"), static_cast<double>(t))))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    theta -= rate * m / (square_root(v) * root_corrector + epsilon);
  }
};

}  // namespace ravine
