// What an update rule is made of.
//
// template <typename T> struct Rule {
//   static constexpr std::string_view name;
//   // State buffers, one value a parameter, all 0 at first; at most 4.
//   static constexpr std::array<std::string_view, N> slots;
//   // The step counts from 1.
//   Rule(const Values& settings, std::int64_t step);
//   // One argument a slot.
//   void update(T& parameter, T gradient, T& slot...) const;
//   // Optional: where the gradient is to be taken.
//   T look_ahead(T parameter, T slot...) const;
//   // Optional: weight decay apart from the gradient, done before the update to parameters that decay.
//   T decay(T parameter) const;
//   // Optional: weights that form a matrix (units, weights of each) move against the orthogonalized
//   // direction instead (rules/newton_schulz.h), by step_size; all three together.
//   T direction(T gradient, T& slot...) const;
//   T step_size(T rows, T columns) const;
//   T decay_matrix(T parameter) const;
// };
// The letters inside a rule are those of the cited equation.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/host_device.h"
#include "base/values.h"
#include "rules/elementary.h"
#include "rules/gradient_moments.h"
