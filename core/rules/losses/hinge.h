#pragma once

#include "rules/losses/loss.h"

namespace ravine {

// max(0, 1 - y a) for targets y = -1 or 1, or its square. C. Cortes, V. Vapnik, 1995.
template <typename T>
struct Hinge {
  static constexpr std::string_view name = "hinge";
  static constexpr std::string_view targets = "-1 or 1";
  T squared;  // 1 or 0
  explicit Hinge(const Values& settings) : squared(settings.boolean("squared") ? T(1) : T(0)) {}
  RAVINE_HOST_DEVICE T forward(T a, T y) const {
    const T short_of = missing(a, y);
    return squared > T(0) ? short_of * short_of : short_of;
  }
  RAVINE_HOST_DEVICE T derivative(T a, T y) const {
    const T short_of = missing(a, y);
    const T slope = short_of > T(0) ? T(1) : short_of;  // NaN stays NaN
    return -y * (squared > T(0) ? T(2) * short_of : slope);
  }
  RAVINE_HOST_DEVICE bool right(T a, T y) const { return (a > T(0)) == (y > T(0)) && a == a; }
  static bool accepts(T y) { return y == T(1) || y == T(-1) || y != y; }

 private:
  RAVINE_HOST_DEVICE static T missing(T a, T y) {
    const T margin = T(1) - y * a;
    return margin < T(0) ? T(0) : margin;
  }
};

}  // namespace ravine
