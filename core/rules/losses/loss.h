// What an elementwise loss rule is made of.
//
// template <typename T> struct Rule {
//   static constexpr std::string_view name;
//   explicit Rule(const Values& settings);
//   T forward(T prediction, T target) const;      // one element's share of the loss
//   T derivative(T prediction, T target) const;   // with respect to the prediction
// };
// A sample's loss is the mean over its outputs; the batch's loss is the mean over its samples.
#pragma once

#include <string_view>

#include "base/host_device.h"
#include "base/values.h"
