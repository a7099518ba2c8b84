// What an activation rule is made of.
//
// template <typename T> struct Rule {
//   static constexpr std::string_view name;          // the catalog's name
//   static constexpr bool derivative_reads_input;    // false: the derivative needs the output alone
//   explicit Rule(const Values& settings);
//   T forward(T x) const;                            // y = f(x)
//   T derivative(T x, T y) const;                    // f'(x); x is 0 unless derivative_reads_input
//   static double gain(const Values& settings);      // customary, of weights before it; only where there is
//   one
// };
#pragma once

#include <string_view>

#include "base/host_device.h"
#include "base/values.h"
#include "rules/elementary.h"
