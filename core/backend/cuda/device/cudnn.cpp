#include "backend/cuda/device/cudnn.h"

#include <dlfcn.h>

namespace ravine::cuda::cudnn {
namespace {

template <typename Function>
void find(void* opened, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(opened, name));
  if (function == nullptr) missing = std::string("libcudnn.so.9 has no ") + name;
}

Library load() {
  Library library;
  void* opened = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    library.missing = "libcudnn.so.9 is missing: pip install 'ravine[cuda13]'";
    return library;
  }
  Functions& f = library.functions;
  std::string& missing = library.missing;
  find(opened, "cudnnGetVersion", f.version, missing);
  find(opened, "cudnnGetLastErrorString", f.last_error, missing);
  find(opened, "cudnnCreate", f.create, missing);
  find(opened, "cudnnSetStream", f.set_stream, missing);
  find(opened, "cudnnBackendCreateDescriptor", f.create_descriptor, missing);
  find(opened, "cudnnBackendDestroyDescriptor", f.destroy_descriptor, missing);
  find(opened, "cudnnBackendFinalize", f.finalize, missing);
  find(opened, "cudnnBackendSetAttribute", f.set, missing);
  find(opened, "cudnnBackendGetAttribute", f.get, missing);
  find(opened, "cudnnBackendExecute", f.execute, missing);
  return library;
}

}  // namespace

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

std::string library_name() {
  const std::size_t version = library().functions.version();
  return "cuDNN " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace ravine::cuda::cudnn
