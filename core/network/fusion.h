// Passes that merge operations whose intermediate result nobody else reads.
#pragma once

#include <functional>

#include "network/lowering.h"

namespace ravine {

// product, then activation                          -> product with activation
// product, then multiplication by its derivative    -> product with activation gradient
// convolution input gradient, then another added    -> convolution input gradient with addition
void fuse(LoweredProgram& lowered);

// Merges each operation into the one before it, of the same section, where `merge` does that and says so.
// `only_reader`: nobody but `next` reads what `before` puts out.
using Merge = std::function<bool(Operation& before, const Operation& next, bool only_reader)>;
void merge_neighbours(LoweredProgram& lowered, const Merge& merge);

}  // namespace ravine
