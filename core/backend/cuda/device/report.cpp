#include "backend/cuda/report.h"

#include "backend/cuda/device/cublaslt.h"
#include "backend/cuda/device/cudnn.h"
#include "backend/cuda/nccl.h"

namespace ravine::cuda {

namespace {

// 130100 is 13.1.0.
std::string version_text(std::size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace

std::vector<BackendReport> report_libraries() {
  std::vector<BackendReport> reports;
  const auto add = [&](const char* name, const auto& library) {
    const bool is_there = library.missing.empty();
    reports.push_back(
        {name, is_there, is_there ? version_text(library.functions.version()) : library.missing});
  };
  add("cuBLASLt", cublaslt::library());
  add("cuDNN", cudnn::library());
  reports.push_back(nccl::report());
  return reports;
}

}  // namespace ravine::cuda
