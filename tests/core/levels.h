// The loops of every instruction set that this processor has, and numbers to try them on.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

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

// The tables that this processor can run, the baseline first.
template <typename T>
std::vector<Kernels<T>> levels() {
  std::vector<Kernels<T>> tables{baseline::make_kernels<T>()};
#if defined(RAVINE_HAS_AVX2)
  if (__builtin_cpu_supports("x86-64-v3")) tables.push_back(avx2::make_kernels<T>());
#endif
#if defined(RAVINE_HAS_AVX512)
  if (__builtin_cpu_supports("x86-64-v4")) tables.push_back(avx512::make_kernels<T>());
#endif
  return tables;
}

template <typename T>
std::vector<T> numbers(std::size_t count, unsigned seed, double scale = 1.0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0.0, scale);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(normal(random));
  return values;
}

template <typename T>
void check_close(const std::vector<T>& found, const std::vector<T>& expected, double ulps) {
  REQUIRE(found.size() == expected.size());
  double largest = 1.0;
  double error = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
    error = std::max(error, std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
  }
  CHECK(error <= ulps * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest);
}

// Sizes around the width of a vector register.
inline constexpr std::size_t sizes[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 127, 128, 129, 1000};

}  // namespace ravine::cpu
