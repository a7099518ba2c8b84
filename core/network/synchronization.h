// Batch normalization over a batch that is computed in parts: what is summed over rows is merged with what
// the other parts have found before anything reads it.
#pragma once

#include "network/lowering.h"

namespace ravine {

void synchronize_normalization(LoweredProgram& lowered);

}  // namespace ravine
