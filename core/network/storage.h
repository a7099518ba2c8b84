// Pass over the plan: which tensors are stored in bfloat16.
#pragma once

#include "network/lowering.h"

namespace ravine {

// Activations and their gradients, where all operations that write or read them can; what the caller sees,
// losses, moments and parameters stay as they are.
void store_in_bfloat16(LoweredProgram& lowered);

}  // namespace ravine
