#include "backend/cuda/report.h"

namespace ravine::cuda {

std::vector<BackendReport> report() { return {{"CUDA", true, "the host's twin, for tests"}}; }

}  // namespace ravine::cuda
