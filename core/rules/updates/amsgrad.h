#pragma once

#include "rules/updates/update.h"

namespace ravine {

// m and v as in Adam, v_max <- max(v_max, v), theta <- theta - eta m_hat / (sqrt(v_max_hat) + epsilon): no
// weight's step grows again because large gradients were forgotten. The hats are Adam's corrections; the
// paper has none. S. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018, algorithm
// 2; an extension of the lectures' Adam.
template <typename T>
struct Amsgrad {
  static constexpr std::string_view name = "amsgrad";
  static constexpr std::array<std::string_view, 3> slots = {"first_moment", "second_moment",
                                                            "largest_second_moment"};
  GradientMoments<T> moments;
  T epsilon;
  T rate;            // eta / (1 - beta1^t)
  T root_corrector;  // 1 / sqrt(1 - beta2^t)
  Amsgrad(const Values& settings, std::int64_t t)
      : moments(settings),
        epsilon(T(settings.real("epsilon"))),
        rate(T(settings.real("learning_rate") / correction(settings, "beta1", t))),
        root_corrector(T(1.0 / std::sqrt(correction(settings, "beta2", t)))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& m, T& v, T& v_max) const {
    moments.update(g, m, v);
    v_max = larger(v_max, v);
    theta -= rate * m / (square_root(v_max) * root_corrector + epsilon);
  }
};

}  // namespace ravine
