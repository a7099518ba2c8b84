#pragma once

#include "base/random.h"

namespace ravine {

// Uniform between low and high.
struct UniformDistribution {
  double low;
  double high;
  RAVINE_HOST_DEVICE double draw(RandomBits bits) const {
    return low + (high - low) * uniform_open(bits.word[0]);
  }
};

}  // namespace ravine
