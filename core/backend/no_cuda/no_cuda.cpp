// Stands in for the CUDA backend in builds without it.
#include "backend/backend.h"
#include "base/errors.h"

namespace ravine {

std::shared_ptr<Backend> make_cuda_backend(int index) {
  throw Error(ErrorCode::device_unavailable,
              "cuda:" + std::to_string(index) +
                  " was asked for, but this version of Ravine has no CUDA backend; use device cpu")
      .at_key("device");
}

std::vector<BackendReport> report_cuda() {
  return {{"CUDA", false, "this version of Ravine has no CUDA backend"}};
}

}  // namespace ravine
