// Cuts a program into phases, between which alone the workers of a team wait for each other.
#pragma once

#include "network/lowering.h"

namespace ravine {

// What decides on the tiles of operations: the ranks of a model group, whose programs differ, take it from
// the program of the whole network, so that what all of them compute has the same bits on each.
struct Tiling {
  bool small;           // operations go by rows of the batch, else by images
  std::int64_t images;  // of a tile
};
Tiling tiling_of(const Program& program);

// Operations on samples one by one follow each other row by row: a worker takes some rows of the batch, or a
// few images, through all of them, while they are in its cache. Operations that do not need each other are
// one phase too, in which workers share all tiles. In programs of small operations those that need all rows
// (gradients of weights) wait until the gradients of the samples are done, so that there are few phases.
void plan_phases(LoweredProgram& lowered, const Tiling& tiling);

}  // namespace ravine
