#pragma once

#include "rules/updates/update.h"

namespace ravine {

// d <- min(eta_plus d, d_max) while g keeps its sign, max(eta_minus d, d_min) where it changes, where g is
// then taken as 0 once; theta <- theta - sign(g) d. No step is taken back: C. Igel, M. Huesken, "Improving
// the Rprop learning algorithm", 2000, iRprop-; M. Riedmiller, H. Braun, ICNN 1993. The idea is on lecture
// L3's "Learning rate".
template <typename T>
struct Rprop {
  static constexpr std::string_view name = "rprop";
  static constexpr std::array<std::string_view, 2> slots = {"step_size", "last_gradient"};
  T first;  // d before the first step
  T eta_minus, eta_plus, d_min, d_max;
  Rprop(const Values& settings, std::int64_t t)
      : first(t == 1 ? T(settings.real("initial_step")) : T(0)),
        eta_minus(T(settings.real("decrease"))),
        eta_plus(T(settings.real("increase"))),
        d_min(T(settings.real("smallest_step"))),
        d_max(T(settings.real("largest_step"))) {}
  RAVINE_HOST_DEVICE void update(T& theta, T g, T& d, T& last) const {
    // The product of two small float32 gradients would be 0: signs are compared.
    const T agreement = sign(g) * sign(last);
    T factor = agreement > T(0) ? eta_plus : T(1);
    factor = agreement < T(0) ? eta_minus : factor;
    d = larger(smaller(factor * (d + first), d_max), d_min);
    last = agreement < T(0) ? T(0) : g;
    theta -= sign(last) * d;
  }
};

}  // namespace ravine
