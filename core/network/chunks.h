// Which operations on images a worker takes a few images through, and how many.
#pragma once

#include "backend/program.h"

namespace ravine {

// Whether an image of the operation's output needs no more than that image of its inputs. Sums over all
// images (gradients of weights, moments) are known only when the phase is over.
bool is_by_images(const Operation& operation, const Program& program);

// What an operation sums over all images.
std::vector<TensorId> sums_over_images(const Operation& operation, const Program& program);

// Images a tile takes, in all phases by images: what a step touches fits the cache, and the sums that tiles
// keep of their own do not take much memory. It depends on the shapes alone, not on the cut into phases, so
// that sums have the same bits where outputs are computed again.
std::int64_t images_of_tile(const Program& program);

}  // namespace ravine
