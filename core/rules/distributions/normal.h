#pragma once

#include <cmath>

#include "base/random.h"

namespace ravine {

// Normal with the given mean and deviation. G. Box, M. Muller, 1958.
struct NormalDistribution {
  double mean;
  double deviation;
  RAVINE_HOST_DEVICE double draw(RandomBits bits) const {
    constexpr double two_pi = 6.283185307179586;
    using std::cos, std::log, std::sqrt;
    return mean + deviation * sqrt(-2.0 * log(uniform_open(bits.word[0]))) *
                      cos(two_pi * uniform_open(bits.word[1]));
  }
};

}  // namespace ravine
