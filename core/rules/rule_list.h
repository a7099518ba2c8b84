// A compile-time list of rules, walked to build the tables of loops.
#pragma once

#include <cstddef>
#include <string_view>

namespace ravine {

template <template <typename> class... Rules>
struct RuleList {
  static constexpr std::size_t size = sizeof...(Rules);

  // Calls visit.template operator()<Rule>() for each rule in order.
  template <typename Visit>
  static constexpr void for_each(Visit&& visit) {
    (visit.template operator()<Rules>(), ...);
  }

  // The position of the rule of that name, or -1.
  static constexpr int find(std::string_view name) {
    int index = 0;
    int found = -1;
    ((found = Rules<float>::name == name ? index : found, ++index), ...);
    return found;
  }
};

}  // namespace ravine
