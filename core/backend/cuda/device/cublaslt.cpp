#include "backend/cuda/device/cublaslt.h"

#include <dlfcn.h>

namespace ravine::cuda::cublaslt {
namespace {

template <typename Function>
void find(void* opened, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(opened, name));
  if (function == nullptr) missing = std::string("libcublasLt.so.13 has no ") + name;
}

Library load() {
  Library library;
  void* opened = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    library.missing = "libcublasLt.so.13 is missing: pip install 'ravine[cuda13]'";
    return library;
  }
  Functions& f = library.functions;
  std::string& missing = library.missing;
  find(opened, "cublasLtCreate", f.create, missing);
  find(opened, "cublasLtGetVersion", f.version, missing);
  find(opened, "cublasLtMatmulDescCreate", f.create_description, missing);
  find(opened, "cublasLtMatmulDescDestroy", f.destroy_description, missing);
  find(opened, "cublasLtMatmulDescSetAttribute", f.set_description, missing);
  find(opened, "cublasLtMatrixLayoutCreate", f.create_layout, missing);
  find(opened, "cublasLtMatrixLayoutDestroy", f.destroy_layout, missing);
  find(opened, "cublasLtMatmulPreferenceCreate", f.create_preference, missing);
  find(opened, "cublasLtMatmulPreferenceDestroy", f.destroy_preference, missing);
  find(opened, "cublasLtMatmulPreferenceSetAttribute", f.set_preference, missing);
  find(opened, "cublasLtMatmulAlgoGetHeuristic", f.choose, missing);
  find(opened, "cublasLtMatmul", f.multiply, missing);
  return library;
}

}  // namespace

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

}  // namespace ravine::cuda::cublaslt
