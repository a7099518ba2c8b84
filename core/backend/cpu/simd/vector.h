// Vectors of the instruction set that a file is compiled for; a part of one can be loaded and stored.
// Arithmetic on them is the compiler's own.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <typename T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <typename T>
struct VectorOf {
  // May lie at any address where a T may, and may be the same memory as Ts.
  typedef T type __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));
};
template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
inline Vector<T> load(const T* from) {
  return *reinterpret_cast<const Vector<T>*>(from);
}
template <typename T>
inline void store(T* to, Vector<T> value) {
  *reinterpret_cast<Vector<T>*>(to) = value;
}

// The first `count` lanes, 1 to all; what lies behind them is not touched, other lanes are 0.
#if defined(__AVX512F__)
inline Vector<float> load_part(const float* from, int count) {
  return reinterpret_cast<Vector<float>>(
      _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from));
}
inline Vector<double> load_part(const double* from, int count) {
  return reinterpret_cast<Vector<double>>(
      _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from));
}
inline void store_part(float* to, Vector<float> value, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m512>(value));
}
inline void store_part(double* to, Vector<double> value, int count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), reinterpret_cast<__m512d>(value));
}
inline Vector<std::uint32_t> load_part(const std::uint32_t* from, int count) {
  return reinterpret_cast<Vector<std::uint32_t>>(
      _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << count) - 1), from));
}
inline void store_part(std::uint32_t* to, Vector<std::uint32_t> value, int count) {
  _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m512i>(value));
}
#elif defined(__AVX2__)
inline __m256i first_lanes(std::int32_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_lanes(std::int64_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline Vector<float> load_part(const float* from, int count) {
  return reinterpret_cast<Vector<float>>(_mm256_maskload_ps(from, first_lanes(std::int32_t{count})));
}
inline Vector<double> load_part(const double* from, int count) {
  return reinterpret_cast<Vector<double>>(_mm256_maskload_pd(from, first_lanes(std::int64_t{count})));
}
inline void store_part(float* to, Vector<float> value, int count) {
  _mm256_maskstore_ps(to, first_lanes(std::int32_t{count}), reinterpret_cast<__m256>(value));
}
inline void store_part(double* to, Vector<double> value, int count) {
  _mm256_maskstore_pd(to, first_lanes(std::int64_t{count}), reinterpret_cast<__m256d>(value));
}
#else
template <typename T>
inline Vector<T> load_part(const T* from, int count) {
  Vector<T> value{};
  for (int i = 0; i < count; ++i) value[i] = from[i];
  return value;
}
template <typename T>
inline void store_part(T* to, Vector<T> value, int count) {
  for (int i = 0; i < count; ++i) to[i] = value[i];
}
#endif

}  // namespace ravine::cpu::RAVINE_SIMD
