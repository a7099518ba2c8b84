// Ranks that are threads of one process: for tests, which need no launcher then, and for debuggers.
#pragma once

#include <memory>
#include <vector>

#include "communication/communicator.h"

namespace ravine {

// One communicator a rank, in order. Sums are formed in order of rank.
std::vector<std::unique_ptr<Communicator>> thread_communicators(int ranks);

}  // namespace ravine
