// Merges operations whose intermediate result nobody else reads.
#pragma once

#include "network/lowering.h"

namespace ravine {

// product, then activation                          -> product with activation
// product, then multiplication by its derivative    -> product with activation gradient
void fuse(LoweredProgram& lowered);

}  // namespace ravine
