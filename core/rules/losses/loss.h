// What an elementwise loss rule is made of.
//
// template <typename T> struct Rule {
//   static constexpr std::string_view name;
//   explicit Rule(const Values& settings);
//   T forward(T prediction, T target) const;      // one element's share of the loss
//   T derivative(T prediction, T target) const;   // with respect to the prediction
//
//   // Where they make sense:
//   bool right(T prediction, T target) const;     // the answer is the right one of two: gives an accuracy
//   static constexpr bool gives_logits;           // predictions are logits, shown as probabilities
//   static constexpr std::string_view targets;    // the targets it takes, in words
//   static bool accepts(T target);                // one of them, or NaN, which the loss shows
//   static constexpr std::string_view output_setting;  // a setting with a number for each output, or one for
//                                                      // all: forward and derivative take it as a third, 1
//                                                      // where it has no effect
// };
// A sample's loss is the mean over its outputs; the batch's loss is the weighted mean over its samples.
#pragma once

#include <string_view>

#include "base/host_device.h"
#include "base/values.h"
