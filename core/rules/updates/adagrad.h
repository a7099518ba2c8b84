#pragma once

#include "rules/updates/update.h"

namespace ravine {

// G <- G + g^2, theta <- theta - eta g / sqrt(G + epsilon); lectures L0, L1, L3, L4.
// Outside: sqrt(G) + epsilon, the paper's form. Without the root: G + epsilon; L3: "performs much worse".
// J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011.
template <typename T>
struct Adagrad {
  static constexpr std::string_view name = "adagrad";
  static constexpr std::array<std::string_view, 1> slots = {"sum_of_squares"};
  T eta;
  T epsilon;
  EpsilonRoot<T> root;
  bool with_root;
  Adagrad(const Values& settings, std::int64_t)
      : eta(T(settings.real("learning_rate"))),
        epsilon(T(settings.real("epsilon"))),
        root(settings),
        with_root(settings.boolean("root")) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& G) const {
    G += g * g;
    theta -= eta * g / (with_root ? root(G) : G + epsilon);
  }
};

}  // namespace ravine
