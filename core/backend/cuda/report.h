// What `ravine doctor` prints of this backend.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace ravine::cuda {

std::vector<BackendReport> report();

}  // namespace ravine::cuda
