#include "backend/cuda/nccl.h"

#include <dlfcn.h>

#include <cstdlib>

namespace ravine::cuda::nccl {
namespace {

template <typename Function>
void find(void* opened, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(opened, name));
  if (function == nullptr) missing = std::string("the library of NCCL has no ") + name;
}

Library load() {
  Library library;
  std::string& missing = library.missing;
  const char* const given = std::getenv("RAVINE_NCCL_LIBRARY");
  const char* const file = given != nullptr ? given : default_file();
  void* const opened = file == nullptr ? nullptr : dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    missing = "libnccl.so.2 is missing: pip install nvidia-nccl-cu13";
    return library;
  }
  Functions& f = library.functions;
  find(opened, "ncclGetVersion", f.version, missing);
  find(opened, "ncclGetUniqueId", f.make_id, missing);
  find(opened, "ncclCommInitRank", f.connect, missing);
  find(opened, "ncclCommAbort", f.abort, missing);
  find(opened, "ncclCommGetAsyncError", f.find_error, missing);
  find(opened, "ncclGetErrorString", f.text_of, missing);
  find(opened, "ncclGetLastError", f.last_error, missing);
  find(opened, "ncclAllReduce", f.all_reduce, missing);
  find(opened, "ncclBroadcast", f.broadcast, missing);
  find(opened, "ncclGroupStart", f.begin_group, missing);
  find(opened, "ncclGroupEnd", f.end_group, missing);
  return library;
}

}  // namespace

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

BackendReport report() {
  int version = 0;
  if (!library().missing.empty() || library().functions.version(&version) != success) {
    return {"NCCL", false, library().missing.empty() ? "does not say its version" : library().missing};
  }
  return {"NCCL", true,
          "version " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
              std::to_string(version % 100)};
}

}  // namespace ravine::cuda::nccl
