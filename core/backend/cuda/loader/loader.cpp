// Opens the library of the CUDA backend when a device of it is asked for, so that one build runs with and
// without a driver.
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/resident_rows.h"
#include "base/errors.h"

namespace ravine {
namespace {

struct Library {
  Backend* (*make)(int device) = nullptr;
  ResidentRows* (*keep_rows)(Backend* backend, const RowsRequest* request) = nullptr;
  void (*report)(std::vector<BackendReport>* reports) = nullptr;
  std::string missing;
};

// Beside the module that holds this code; RAVINE_CUDA_LIBRARY names another one, as tests do.
std::string path_of_library() {
  if (const char* given = std::getenv("RAVINE_CUDA_LIBRARY")) return given;
  Dl_info here{};
  if (dladdr(reinterpret_cast<const void*>(&make_cuda_backend), &here) == 0) return "libravine_cuda.so";
  return (std::filesystem::path(here.dli_fname).parent_path() / "libravine_cuda.so").string();
}

Library open() {
  Library library;
  const std::string path = path_of_library();
  void* opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    const char* reason = dlerror();
    library.missing = std::string("the library of the CUDA backend cannot be opened: ") +
                      (reason == nullptr ? path.c_str() : reason);
    return library;
  }
  const auto interface = reinterpret_cast<const char* (*)()>(dlsym(opened, "ravine_cuda_interface"));
  if (interface == nullptr || std::string_view(interface()) != RAVINE_CUDA_INTERFACE) {
    library.missing = path + " belongs to another build of Ravine; install Ravine anew";
    return library;
  }
  library.make = reinterpret_cast<decltype(library.make)>(dlsym(opened, "ravine_cuda_make"));
  library.keep_rows = reinterpret_cast<decltype(library.keep_rows)>(dlsym(opened, "ravine_cuda_keep_rows"));
  library.report = reinterpret_cast<decltype(library.report)>(dlsym(opened, "ravine_cuda_report"));
  return library;
}

// Opened once and never closed: its objects may outlive everything else.
const Library& library() {
  static const Library opened = open();
  return opened;
}

}  // namespace

std::shared_ptr<Backend> make_cuda_backend(int index) {
  if (!library().missing.empty()) {
    throw Error(ErrorCode::device_unavailable, "cuda:" + std::to_string(index) + " was asked for, but " +
                                                   library().missing + "; use device cpu")
        .at_key("device");
  }
  return std::shared_ptr<Backend>(library().make(index));
}

std::unique_ptr<ResidentRows> keep_rows(Backend& backend, const RowsRequest& request) {
  if (backend.device().kind != DeviceKind::cuda) return nullptr;
  return std::unique_ptr<ResidentRows>(library().keep_rows(&backend, &request));
}

std::vector<BackendReport> report_cuda() {
  if (!library().missing.empty()) return {{"CUDA", false, library().missing}};
  std::vector<BackendReport> reports;
  library().report(&reports);
  return reports;
}

}  // namespace ravine
