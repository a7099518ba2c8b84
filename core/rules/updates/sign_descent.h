#pragma once

#include "rules/updates/update.h"

namespace ravine {

// theta <- theta - eta sign(g): the same distance in all directions. Lecture L2, "Adaptive learning rate
// methods", for the gradient of all samples; J. Bernstein et al., "signSGD", ICML 2018.
template <typename T>
struct SignDescent {
  static constexpr std::string_view name = "sign_descent";
  static constexpr std::array<std::string_view, 0> slots = {};
  T eta;
  SignDescent(const Values& settings, std::int64_t) : eta(T(settings.real("learning_rate"))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g) const { theta -= eta * sign(g); }
};

}  // namespace ravine
