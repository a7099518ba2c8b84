#pragma once

#include "rules/updates/update.h"

namespace ravine {

// theta <- theta - eta (sign(beta1 m + (1 - beta1) g) + lambda theta), then m <- beta2 m + (1 - beta2) g.
// X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2; an extension of
// the lectures' optimizers.
template <typename T>
struct Lion {
  static constexpr std::string_view name = "lion";
  static constexpr std::array<std::string_view, 1> slots = {"gradient_average"};
  T eta, beta1, one_minus_beta1, beta2, one_minus_beta2;
  T kept;  // 1 - eta lambda
  Lion(const Values& settings, std::int64_t)
      : eta(T(settings.real("learning_rate"))),
        beta1(T(settings.real("beta1"))),
        one_minus_beta1(T(1.0 - settings.real("beta1"))),
        beta2(T(settings.real("beta2"))),
        one_minus_beta2(T(1.0 - settings.real("beta2"))),
        kept(T(1.0 - settings.real("learning_rate") * settings.real("weight_decay"))) {}
  RAVINE_HOST_DEVICE T decay(T theta) const { return kept * theta; }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m) const {
    theta -= eta * sign(beta1 * m + one_minus_beta1 * g);
    m = beta2 * m + one_minus_beta2 * g;
  }
};

}  // namespace ravine
