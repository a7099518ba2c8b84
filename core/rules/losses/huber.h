#pragma once

#include "rules/losses/loss.h"

namespace ravine {

// 1/2 d^2 where |d| <= delta, else delta (|d| - delta / 2), d = a - y. P. Huber, 1964.
template <typename T>
struct Huber {
  static constexpr std::string_view name = "huber";
  T delta;
  explicit Huber(const Values& settings) : delta(static_cast<T>(settings.real("delta"))) {}
  RAVINE_HOST_DEVICE T forward(T a, T y) const {
    const T clipped = derivative(a, y);
    return clipped * (a - y - T(0.5) * clipped);
  }
  RAVINE_HOST_DEVICE T derivative(T a, T y) const {
    const T difference = a - y;
    return difference > delta ? delta : (difference < -delta ? -delta : difference);
  }
};

}  // namespace ravine
