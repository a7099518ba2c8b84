#pragma once

#include "rules/updates/update.h"

namespace ravine {

// m <- beta1 m + (1 - beta1) g, u <- max(beta2 u, |g| + epsilon), theta <- theta - eta / (1 - beta1^t) m / u.
// D. Kingma, J. Ba, ICLR 2015, algorithm 2, where epsilon is 0 and a weight without any gradient gives 0 / 0;
// lecture L0.
template <typename T>
struct Adamax {
  static constexpr std::string_view name = "adamax";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "largest_gradient"};
  T beta1, beta2, one_minus_beta1, epsilon;
  T rate;  // eta / (1 - beta1^t)
  Adamax(const Values& settings, std::int64_t t)
      : beta1(T(settings.real("beta1"))),
        beta2(T(settings.real("beta2"))),
        one_minus_beta1(T(1.0 - settings.real("beta1"))),
        epsilon(T(settings.real("epsilon"))),
        rate(T(settings.real("learning_rate") / one_minus_power(settings.real("beta1"), t))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& u) const {
    m = beta1 * m + one_minus_beta1 * g;
    u = larger(beta2 * u, absolute(g) + epsilon);
    theta -= rate * m / u;
  }
};

}  // namespace ravine
