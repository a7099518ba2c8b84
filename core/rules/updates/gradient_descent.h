#pragma once

#include "rules/updates/update.h"

namespace ravine {

// theta <- theta - eta g. H. Robbins, S. Monro, 1951; lectures L1, L2, L4.
template <typename T>
struct GradientDescent {
  static constexpr std::string_view name = "gradient_descent";
  static constexpr std::array<std::string_view, 0> slots = {};
  T eta;
  GradientDescent(const Values& settings, std::int64_t) : eta(T(settings.real("learning_rate"))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g) const { theta -= eta * g; }
};

}  // namespace ravine
