#include "backend/cuda/report.h"
#include "backend/cuda/nccl.h"

namespace ravine::cuda {

std::vector<BackendReport> report_libraries() {
  return {{"CUDA", true, "the host's twin, for tests"}, nccl::report()};
}

}  // namespace ravine::cuda
