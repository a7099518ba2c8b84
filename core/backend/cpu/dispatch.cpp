// Chooses, once, the loops that this processor can run.
#include <cstdlib>
#include <string_view>

#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {

namespace baseline {
template <typename T>
Kernels<T> make_kernels();
}
#if defined(RAVINE_HAS_AVX2)
namespace avx2 {
template <typename T>
Kernels<T> make_kernels();
}
#endif
#if defined(RAVINE_HAS_AVX512)
namespace avx512 {
template <typename T>
Kernels<T> make_kernels();
}
#endif

namespace {

// RAVINE_SIMD=baseline|avx2|avx512 in the environment limits the choice, for tests and comparisons.
[[maybe_unused]] bool allowed(std::string_view level) {
  const char* limit = std::getenv("RAVINE_SIMD");
  if (limit == nullptr) return true;
  const std::string_view name(limit);
  if (name == "baseline") return false;
  return !(name == "avx2" && level == "avx512");
}

template <typename T>
Kernels<T> choose() {
#if defined(RAVINE_HAS_AVX512)
  if (allowed("avx512") && __builtin_cpu_supports("x86-64-v4")) return avx512::make_kernels<T>();
#endif
#if defined(RAVINE_HAS_AVX2)
  if (allowed("avx2") && __builtin_cpu_supports("x86-64-v3")) return avx2::make_kernels<T>();
#endif
  return baseline::make_kernels<T>();
}

}  // namespace

template <typename T>
const Kernels<T>& kernels() {
  static const Kernels<T> table = choose<T>();
  return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

bool has_bfloat16() {
#if defined(RAVINE_HAS_AVX512)
  return kernels<float>().bfloat16.product != nullptr && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace ravine::cpu
