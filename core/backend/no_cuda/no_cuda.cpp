// Stands in for the CUDA backend in builds without it.
#include "backend/backend.h"
#include "backend/resident_rows.h"
#include "base/errors.h"

namespace ravine {

std::shared_ptr<Backend> make_cuda_backend(int index) {
  throw Error(ErrorCode::device_unavailable,
              "cuda:" + std::to_string(index) +
                  " was asked for, but Ravine was built without CUDA (nvcc was not found); use device cpu")
      .at_key("device");
}

std::unique_ptr<ResidentRows> keep_rows(Backend&, const RowsRequest&) { return nullptr; }

std::vector<BackendReport> report_cuda() {
  return {{"CUDA", false, "Ravine was built without it: nvcc was not found"}};
}

}  // namespace ravine
