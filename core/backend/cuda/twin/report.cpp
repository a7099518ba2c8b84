#include "backend/cuda/report.h"

namespace ravine::cuda {

std::vector<BackendReport> report_libraries() { return {{"CUDA", true, "the host's twin, for tests"}}; }

}  // namespace ravine::cuda
