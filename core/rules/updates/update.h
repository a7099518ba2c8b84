// What an update rule is made of.
//
// template <typename T> struct Rule {
//   static constexpr std::string_view name;
//   static constexpr std::array<std::string_view, N> slots;   // state buffers, one value a parameter, all 0
//   at first Rule(const Values& settings, std::int64_t step);          // step counts from 1 void update(T&
//   parameter, T gradient, T& slot...) const;  // one argument a slot T look_ahead(T parameter, T slot...)
//   const;               // optional: where the gradient is to be taken
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
