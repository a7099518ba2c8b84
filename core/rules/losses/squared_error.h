#pragma once

#include "rules/losses/loss.h"

namespace ravine {

// (a - y)^2, or 1/2 (a - y)^2 with half = true.
template <typename T>
struct SquaredError {
  static constexpr std::string_view name = "squared_error";
  T factor;
  explicit SquaredError(const Values& settings) : factor(settings.boolean("half") ? T(0.5) : T(1)) {}
  RAVINE_HOST_DEVICE T forward(T a, T y) const { return factor * (a - y) * (a - y); }
  RAVINE_HOST_DEVICE T derivative(T a, T y) const { return T(2) * factor * (a - y); }
};

}  // namespace ravine
