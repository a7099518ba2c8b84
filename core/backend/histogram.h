// How often values fall into bins that are narrow where they are small: each factor of two has 16.
#pragma once

#include <cstdint>
#include <limits>

namespace ravine {

// A bin for each of the first 13 bits of a float32: its sign, its exponent and four bits of its fraction.
inline constexpr int histogram_bins = 1 << 13;
inline constexpr int bins_of_factor = 16;  // of two

// Of values as float32. Integers, so that a sum of parts does not depend on their order.
struct Histogram {
  std::int64_t counts[histogram_bins] = {};
  double minimum = std::numeric_limits<double>::infinity();
  double maximum = -std::numeric_limits<double>::infinity();
};

// Whether the bins of a factor of two are empty, as most are.
template <typename Count>
bool is_empty(const Count* counts) noexcept {
  Count any = 0;
  for (int bin = 0; bin < bins_of_factor; ++bin) any |= counts[bin];
  return any == 0;
}

}  // namespace ravine
