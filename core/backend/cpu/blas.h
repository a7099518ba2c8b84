// OpenBLAS's declarations, on one thread: products are shared among workers of our own.
#pragma once

#include <cblas.h>

#include <mutex>

// The wheel scipy-openblas32 puts a prefix before every symbol; a system's OpenBLAS has none.
#if defined(RAVINE_OPENBLAS_SCIPY)
#define RAVINE_BLAS(name) scipy_##name
#else
#define RAVINE_BLAS(name) name
#endif

namespace ravine::cpu {

inline void use_one_blas_thread() {
  static std::once_flag once;
  std::call_once(once, [] { RAVINE_BLAS(openblas_set_num_threads)(1); });
}

}  // namespace ravine::cpu
