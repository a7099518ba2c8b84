#pragma once

#include "rules/elementary.h"
#include "rules/losses/loss.h"

namespace ravine {

// -(t log p + (1 - t) log(1 - p)), p = 1 / (1 + e^-z), t in [0, 1]; written as
// max(0, z) - t z + log(1 + e^-|z|), which neither overflows nor cancels. f' = p - t.
template <typename T>
struct BinaryCrossEntropy {
  static constexpr std::string_view name = "binary_cross_entropy";
  static constexpr bool gives_logits = true;
  static constexpr std::string_view targets = "from 0 to 1, the probability of the right answer";
  explicit BinaryCrossEntropy(const Values&) {}
  RAVINE_HOST_DEVICE T forward(T z, T t) const {
    const T tail = logarithm_one_plus(exponential(z < T(0) ? z : -z));
    return (z < T(0) ? T(0) : z) - t * z + tail;
  }
  RAVINE_HOST_DEVICE T derivative(T z, T t) const { return T(1) / (T(1) + exponential(-z)) - t; }
  RAVINE_HOST_DEVICE bool right(T z, T t) const { return (z > T(0)) == (t > T(0.5)) && z == z; }
  static bool accepts(T t) { return !(t < T(0)) && !(t > T(1)); }
};

}  // namespace ravine
