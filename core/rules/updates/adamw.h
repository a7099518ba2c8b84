#pragma once

#include "rules/updates/update.h"

namespace ravine {

// theta <- theta - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta), m_hat and v_hat as in Adam.
// The decay is not part of the gradient, so that v does not scale it. I. Loshchilov, F. Hutter, "Decoupled
// weight decay regularization", ICLR 2019, algorithm 2; an extension of the lectures' Adam.
template <typename T>
struct AdamW {
  static constexpr std::string_view name = "adamw";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  GradientMoments<T> moments;
  T epsilon;
  T kept;            // 1 - eta lambda
  T rate;            // eta / (1 - beta1^t)
  T root_corrector;  // 1 / sqrt(1 - beta2^t)
  AdamW(const Values& settings, std::int64_t t)
      : moments(settings),
        epsilon(T(settings.real("epsilon"))),
        kept(T(1.0 - settings.real("learning_rate") * settings.real("weight_decay"))),
        rate(T(settings.real("learning_rate") / one_minus_power(settings.real("beta1"), t))),
        root_corrector(T(1.0 / std::sqrt(one_minus_power(settings.real("beta2"), t)))) {}
  RAVINE_HOST_DEVICE T decay(T theta) const { return kept * theta; }
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v) const {
    moments.update(g, m, v);
    theta -= rate * m / (square_root(v) * root_corrector + epsilon);
  }
};

}  // namespace ravine
