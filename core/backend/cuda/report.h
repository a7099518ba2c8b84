// What `ravine doctor` prints of this backend.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace ravine::cuda {

// The cards, or why there are none, and the libraries.
std::vector<BackendReport> report();

// What is opened at run time: a version, or what is missing. device/ has it, twin/ has none.
std::vector<BackendReport> report_libraries();

}  // namespace ravine::cuda
