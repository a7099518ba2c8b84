// Vectors of the instruction set that a file is compiled for; a part of one can be loaded and stored.
// Arithmetic on them is the compiler's own.
#pragma once

#include <cstddef>
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

// An activation rule, lane by lane.
template <typename T, typename Rule>
inline Vector<T> activated(const Rule& rule, Vector<T> value) {
  T values[lanes<T>];
  store(values, value);
#pragma omp simd
  for (int i = 0; i < lanes<T>; ++i) values[i] = rule.forward(values[i]);
  return load(values);
}

// The sum of all lanes, in a fixed order.
template <typename T>
inline T sum_of(Vector<T> value) {
  T values[lanes<T>];
  store(values, value);
  for (int half = lanes<T> / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) values[i] += values[i + half];
  }
  return values[0];
}

// The first `count` lanes of one, the rest of the other.
template <typename T>
inline Vector<T> with_rest(Vector<T> value, int count, Vector<T> rest) {
  Vector<T> index;
  for (int i = 0; i < lanes<T>; ++i) index[i] = static_cast<T>(i);
  return index < static_cast<T>(count) ? value : rest;
}

// How many lanes are zero.
#if defined(__AVX512F__)
inline int zeros_of(Vector<float> value) {
  return __builtin_popcount(
      _mm512_cmp_ps_mask(reinterpret_cast<__m512>(value), _mm512_setzero_ps(), _CMP_EQ_OQ));
}
inline int zeros_of(Vector<double> value) {
  return __builtin_popcount(
      _mm512_cmp_pd_mask(reinterpret_cast<__m512d>(value), _mm512_setzero_pd(), _CMP_EQ_OQ));
}
#elif defined(__AVX2__)
inline int zeros_of(Vector<float> value) {
  const __m256 is_zero = _mm256_cmp_ps(reinterpret_cast<__m256>(value), _mm256_setzero_ps(), _CMP_EQ_OQ);
  return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(is_zero)));
}
inline int zeros_of(Vector<double> value) {
  const __m256d is_zero = _mm256_cmp_pd(reinterpret_cast<__m256d>(value), _mm256_setzero_pd(), _CMP_EQ_OQ);
  return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(is_zero)));
}
#else
template <typename V>
inline int zeros_of(V value) {
  int zeros = 0;
  for (std::size_t i = 0; i < sizeof(V) / sizeof(value[0]); ++i) zeros += value[i] == 0;
  return zeros;
}
#endif

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

// All lanes, most of the time, or a part of them.
template <typename T>
inline Vector<T> load_some(const T* from, int count) {
  return count == lanes<T> ? load(from) : load_part(from, count);
}
template <typename T>
inline void store_some(T* to, Vector<T> value, int count) {
  count == lanes<T> ? store(to, value) : store_part(to, value, count);
}

}  // namespace ravine::cpu::RAVINE_SIMD
