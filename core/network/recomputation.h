// Pass over the plan of a training step: outputs that are not kept are computed again in the backward pass.
#pragma once

#include "network/lowering.h"

namespace ravine {

// Keeps what leaves each group of program.options.checkpoint_every layers. Before the first operation of the
// backward pass that reads anything else of a group, the operations that compute it are repeated, in their
// order and with the same masks, so that all bits are the same. (T. Chen et al., "Training deep nets with
// sublinear memory cost", 2016.)
void recompute(LoweredProgram& lowered);

// The group of layers that a step belongs to: 0 where everything is kept.
std::int64_t segment_of(const Step& step, const ComputeOptions& options);

}  // namespace ravine
