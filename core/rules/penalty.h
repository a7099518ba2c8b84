// What is asked of weights and gradients beside the loss, and how it enters the update of one parameter.
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/host_device.h"
#include "rules/elementary.h"

namespace ravine {

// L1 and L2 are over parameters that decay; lectures L1 and L2.
struct Regularization {
  double l2 = 0;               // lambda of lambda/2 sum w^2, or of lambda ||W||_2 of each tensor
  double l1 = 0;               // lambda of lambda sum |w|
  double clip_value = 0;       // largest magnitude of an element of the gradient; 0 for no clipping
  double clip_layer_norm = 0;  // largest norm of the gradient of each layer; 0 for no clipping
  double clip_norm = 0;        // largest norm of the whole gradient; 0 for no clipping
  double max_norm = 0;         // largest norm of the weights of each unit; 0 for no limit
  bool proximal = false;       // L1 by a soft threshold after the update instead of by its subgradient
  bool l2_of_norm = false;     // L2 of the norm itself instead of its square
};

// The numbers, by the names that settings, schedules and live edits use; all are at least 0.
struct RegularizationNumber {
  std::string_view name;
  double Regularization::* member;
};
inline constexpr std::array<RegularizationNumber, 6> regularization_numbers{{
    {"l2", &Regularization::l2},
    {"l1", &Regularization::l1},
    {"clip_value", &Regularization::clip_value},
    {"clip_layer_norm", &Regularization::clip_layer_norm},
    {"clip_norm", &Regularization::clip_norm},
    {"max_norm", &Regularization::max_norm},
}};

// Null where there is no number of that name.
inline double Regularization::* regularization_number(std::string_view name) {
  for (const RegularizationNumber& number : regularization_numbers) {
    if (number.name == name) return number.member;
  }
  return nullptr;
}

// g <- clip(scale g) + l2 theta + l1 sign(theta), and after the update theta <- S(theta), with
// S(theta) = sign(theta) max(|theta| - threshold, 0).
// The soft threshold is the proximal step of L1 and makes exact zeros: I. Daubechies et al., 2004.
template <typename T>
struct Penalty {
  T scale = 1;
  T limit = std::numeric_limits<T>::infinity();
  T l2 = 0;
  T l1 = 0;
  T threshold = 0;

  Penalty() = default;
  Penalty(const Regularization& asked, bool decays, double learning_rate)
      : limit(asked.clip_value > 0 ? T(asked.clip_value) : std::numeric_limits<T>::infinity()),
        l2(decays ? T(asked.l2) : T(0)),
        l1(decays && !asked.proximal ? T(asked.l1) : T(0)),
        threshold(decays && asked.proximal ? T(learning_rate * asked.l1) : T(0)) {}

  bool changes_nothing() const {
    return scale == 1 && limit == std::numeric_limits<T>::infinity() && l2 == 0 && l1 == 0 && threshold == 0;
  }
  RAVINE_HOST_DEVICE T gradient(T g, T theta) const {
    return within(scale * g, limit) + l2 * theta + l1 * sign(theta);
  }
  // What they add to the loss: l2/2 theta^2 + l1 |theta|.
  RAVINE_HOST_DEVICE T value(T theta) const { return l2 / 2 * theta * theta + l1 * sign(theta) * theta; }
  // From lambda/2 sum w^2 to lambda ||W||, the group lasso: M. Yuan, Y. Lin, 2006. Its gradient is
  // lambda W / ||W||, that of the square with another factor; at W = 0 the subgradient 0 is taken.
  RAVINE_HOST_DEVICE void divide_l2(double norm) { l2 = norm > 0 ? T(static_cast<double>(l2) / norm) : T(0); }
  RAVINE_HOST_DEVICE T shrink(T theta) const { return theta - within(theta, threshold); }

  // Selections that let NaN pass.
  RAVINE_HOST_DEVICE static T within(T x, T bound) { return x > bound ? bound : (x < -bound ? -bound : x); }
};

// What vectors whose squares have this sum are multiplied by, so that their norm is at most `limit`.
RAVINE_HOST_DEVICE double norm_scale(double squares, double limit) {
  return limit > 0 && squares > limit * limit ? limit / square_root(squares) : 1.0;
}

}  // namespace ravine
