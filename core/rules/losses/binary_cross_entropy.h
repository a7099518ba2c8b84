#pragma once

#include "rules/elementary.h"
#include "rules/losses/loss.h"

namespace ravine {

// -(w t log p + (1 - t) log(1 - p)), p = 1 / (1 + e^-z), t in [0, 1], w the output's positive weight. With
// m = w t + 1 - t written as m log(1 + e^-|z|) + (z < 0 ? -w t : 1 - t) z, which neither overflows nor
// cancels. f' = m p - w t.
template <typename T>
struct BinaryCrossEntropy {
  static constexpr std::string_view name = "binary_cross_entropy";
  static constexpr bool gives_logits = true;
  static constexpr std::string_view output_setting = "positive_weight";
  static constexpr std::string_view targets = "from 0 to 1, the probability of the right answer";
  explicit BinaryCrossEntropy(const Values&) {}
  RAVINE_HOST_DEVICE T forward(T z, T t, T w) const {
    const T tail = logarithm_one_plus(exponential(z < T(0) ? z : -z));
    return mass(t, w) * tail + (z < T(0) ? -w * t : T(1) - t) * z;
  }
  RAVINE_HOST_DEVICE T derivative(T z, T t, T w) const {
    return mass(t, w) / (T(1) + exponential(-z)) - w * t;
  }
  RAVINE_HOST_DEVICE bool right(T z, T t) const { return (z > T(0)) == (t > T(0.5)) && z == z; }
  static bool accepts(T t) { return !(t < T(0)) && !(t > T(1)); }

 private:
  RAVINE_HOST_DEVICE static T mass(T t, T w) { return T(1) + (w - T(1)) * t; }
};

}  // namespace ravine
