#pragma once

#include "base/random.h"

namespace ravine {

// Every element is `value`.
struct ConstantDistribution {
  double value;
  RAVINE_HOST_DEVICE double draw(RandomBits) const { return value; }
};

}  // namespace ravine
