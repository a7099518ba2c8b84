#pragma once

#include "rules/updates/update.h"

namespace ravine {

// r <- alpha r + (1 - alpha) g^2, theta <- theta - eta g / sqrt(r + epsilon); L3's slide drops the factor g.
// Outside: sqrt(r) + epsilon, as in most libraries.
// G. Hinton, "Neural networks for machine learning", lecture 6e, 2012; lectures L0, L1, L2, L3, L4.
template <typename T>
struct Rmsprop {
  static constexpr std::string_view name = "rmsprop";
  static constexpr std::array<std::string_view, 1> slots = {"square_average"};
  T eta, alpha, one_minus_alpha;
  EpsilonRoot<T> root;
  Rmsprop(const Values& settings, std::int64_t)
      : eta(T(settings.real("learning_rate"))),
        alpha(T(settings.real("decay"))),
        one_minus_alpha(T(1.0 - settings.real("decay"))),
        root(settings) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& r) const {
    r = alpha * r + one_minus_alpha * (g * g);
    theta -= eta * g / root(r);
  }
};

}  // namespace ravine
