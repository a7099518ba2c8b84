#pragma once

#include "rules/updates/update.h"

namespace ravine {

// m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
// theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon), m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t).
// Inside: sqrt(v_hat + epsilon), L4's table. Constant: m / (1 - beta1), v / (1 - beta2), L2. None: m, v.
// D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; lectures L0 to L4.
template <typename T>
struct Adam {
  static constexpr std::string_view name = "adam";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  GradientMoments<T> moments;
  T rate;         // eta / (1 - beta1^t)
  T corrector_v;  // 1 / (1 - beta2^t)
  EpsilonRoot<T> root;
  Adam(const Values& settings, std::int64_t t)
      : moments(settings),
        rate(T(settings.real("learning_rate") / correction(settings, "beta1", t))),
        corrector_v(T(1.0 / correction(settings, "beta2", t))),
        root(settings) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    moments.update(g, m, v);
    theta -= rate * m / root(v * corrector_v);
  }
};

}  // namespace ravine
