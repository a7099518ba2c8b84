#pragma once

#include "rules/updates/update.h"

namespace ravine {

// v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v.
// Y. Nesterov, 1983; I. Sutskever et al., ICML 2013; lectures L0, L1, L4. What is reported is theta.
template <typename T>
struct Nesterov {
  static constexpr std::string_view name = "nesterov";
  static constexpr std::array<std::string_view, 1> slots = {"velocity"};
  T gamma;
  T eta;
  Nesterov(const Values& settings, std::int64_t)
      : gamma(T(settings.real("momentum"))), eta(T(settings.real("learning_rate"))) {}
  RAVINE_HOST_DEVICE T look_ahead(T theta, T v) const { return theta - gamma * v; }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& v) const {
    v = gamma * v + eta * g;
    theta -= v;
  }
};

}  // namespace ravine
