// All that an operation measures, of outputs and of gradients of parameters.
#pragma once

#include <variant>
#include <vector>

#include "backend/program.h"

namespace ravine::cuda {

inline std::vector<Observation> observations_in(const Operation& operation) {
  std::vector<Observation> found;
  const auto add = [&](const auto& o) {
    if constexpr (requires { o.observe; }) found.push_back(o.observe);
    if constexpr (requires { o.observe_normalized; }) found.push_back(o.observe_normalized);
    if constexpr (requires { o.observe_sum; }) found.push_back(o.observe_sum);
    if constexpr (requires { o.observe_bias; }) found.push_back(o.observe_bias);
    if constexpr (requires { o.observe_scale; }) found.push_back(o.observe_scale);
    if constexpr (requires { o.observe_centre; }) found.push_back(o.observe_centre);
    if constexpr (requires { o.observe_direction; }) found.push_back(o.observe_direction);
    if constexpr (requires { o.observe_gain; }) found.push_back(o.observe_gain);
  };
  std::visit(
      [&](const auto& o) {
        add(o);
        if constexpr (requires { o.sums->observe_scale; }) {
          if (o.sums) add(*o.sums);
        }
      },
      operation);
  return found;
}

}  // namespace ravine::cuda
