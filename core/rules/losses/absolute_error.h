#pragma once

#include "rules/losses/loss.h"

namespace ravine {

// |a - y|; the derivative is its sign, 0 where they are equal.
template <typename T>
struct AbsoluteError {
  static constexpr std::string_view name = "absolute_error";
  explicit AbsoluteError(const Values&) {}
  RAVINE_HOST_DEVICE T forward(T a, T y) const { return a < y ? y - a : a - y; }
  // NaN stays NaN.
  RAVINE_HOST_DEVICE T derivative(T a, T y) const {
    const T difference = a - y;
    return difference > T(0) ? T(1) : (difference < T(0) ? T(-1) : difference);
  }
};

}  // namespace ravine
