// Pass over a plan: batch normalization and what surrounds it go over memory once.
#pragma once

#include "network/lowering.h"

namespace ravine {

// convolution, then moments of its columns                 -> convolution with moments
// batch normalization, then an addition                    -> batch normalization with addition
// batch normalization (with addition), then an activation  -> batch normalization with activation
// convolution input gradient, then the sums of its columns -> convolution input gradient with sums
// Each layer's output is measured as before, the ones that are no longer kept too.
void fuse_normalization(LoweredProgram& lowered);

}  // namespace ravine
