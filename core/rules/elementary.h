// Elementary functions that vectorize: float32 by polynomials without branches, float64 by the C library.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/host_device.h"

namespace ravine {

// e^x. float32: x = n ln 2 + r, |r| <= ln 2 / 2, e^r by a polynomial of degree 6 (Cephes); below 2 ulp.
RAVINE_HOST_DEVICE float exponential(float x) {
  constexpr float upper = 88.7228317f;
  constexpr float lower = -86.6f;
  // Comparisons written so that NaN passes through.
  const float bounded = x > upper ? upper : (x < lower ? lower : x);
  constexpr float round_to_integer = 12582912.0f;  // 1.5 * 2^23
  const float shifted = bounded * 1.44269504088896341f + round_to_integer;
  const float n = shifted - round_to_integer;
  float r = bounded - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` hold n; moved to the exponent they give 2^(n-1), which cannot overflow.
  const std::int32_t bits = (__builtin_bit_cast(std::int32_t, shifted) - 0x4B400000 + 126) << 23;
  const float result = p * __builtin_bit_cast(float, bits) * 2.0f;
  return x > upper ? std::numeric_limits<float>::infinity() : (x < lower ? 0.0f : result);
}
RAVINE_HOST_DEVICE double exponential(double x) {
  using std::exp;
  return exp(x);
}

// e^x - 1 without cancellation near 0. float32: 2^n (e^r - 1) + (2^n - 1), with the polynomial of e^x.
RAVINE_HOST_DEVICE float exponential_minus_one(float x) {
  constexpr float upper = 88.7228317f;
  constexpr float lower = -86.6f;
  const float bounded = x > upper ? upper : (x < lower ? lower : x);
  constexpr float round_to_integer = 12582912.0f;  // 1.5 * 2^23
  const float shifted = bounded * 1.44269504088896341f + round_to_integer;
  const float n = shifted - round_to_integer;
  float r = bounded - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r;
  // 2^(n-1), which cannot overflow, as in exponential.
  const std::int32_t bits = (__builtin_bit_cast(std::int32_t, shifted) - 0x4B400000 + 126) << 23;
  const float half = __builtin_bit_cast(float, bits);
  const float result = (p * half + (half - 0.5f)) * 2.0f;
  return x > upper ? std::numeric_limits<float>::infinity() : result;
}
RAVINE_HOST_DEVICE double exponential_minus_one(double x) {
  using std::expm1;
  return expm1(x);
}

// log(1 + x), x > -1. float32: log of u = 1 + x = 2^e m with m around 1 by a polynomial (Cephes), and
// (x - (u - 1)) / u for what rounding took from u.
RAVINE_HOST_DEVICE float logarithm_one_plus(float x) {
  const float u = 1.0f + x;
  const float lost = (x - (u - 1.0f)) / u;
  const std::int32_t above = __builtin_bit_cast(std::int32_t, u) - 0x3F3504F3;  // sqrt(1/2)
  const std::int32_t exponent = above >> 23;
  const float m =
      __builtin_bit_cast(float, __builtin_bit_cast(std::int32_t, u) -
                                    static_cast<std::int32_t>(static_cast<std::uint32_t>(exponent) << 23));
  const float e = static_cast<float>(exponent);
  const float f = m - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * f + -1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f + -1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f + -1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f + -2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float small = p * f * f * f + e * -2.12194440e-4f + (lost - 0.5f * f * f);
  const float result = (f + small) + e * 0.693359375f;
  return x < std::numeric_limits<float>::infinity() ? result : x;  // infinity and NaN pass
}
RAVINE_HOST_DEVICE double logarithm_one_plus(double x) {
  using std::log1p;
  return log1p(x);
}

// erf x. float32: an odd rational function of degree 13 over 8, |x| clamped where erf rounds to 1 (the form
// used by Eigen); a few ulp.
RAVINE_HOST_DEVICE float error_function(float x) {
  constexpr float bound = 4.0f;
  const float c = x > bound ? bound : (x < -bound ? -bound : x);
  const float s = c * c;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s + -2.10102402082508e-06f;
  p = p * s + -5.69250639462346e-05f;
  p = p * s + -7.34990630326855e-04f;
  p = p * s + -2.95459980854025e-03f;
  p = p * s + -1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s + -2.13374055278905e-04f;
  q = q * s + -1.68282697438203e-03f;
  q = q * s + -7.37332916720468e-03f;
  q = q * s + -1.42647390514189e-02f;
  return c * p / q;
}
RAVINE_HOST_DEVICE double error_function(double x) {
  using std::erf;
  return erf(x);
}

// tanh x. float32: an odd rational function of degree 13 over 6 with a single division, |x| clamped where
// tanh rounds to 1 (the form used by Eigen); a few ulp.
RAVINE_HOST_DEVICE float hyperbolic_tangent(float x) {
  constexpr float bound = 7.90531110763549805f;
  const float c = x > bound ? bound : (x < -bound ? -bound : x);
  const float s = c * c;
  float p = -2.76076847742355e-16f;
  p = p * s + 2.00018790482477e-13f;
  p = p * s + -8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  float q = 1.19825839466702e-06f;
  q = q * s + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return c * p / q;
}
RAVINE_HOST_DEVICE double hyperbolic_tangent(double x) {
  using std::tanh;
  return tanh(x);
}

// x, but the lowest finite number for minus infinity: times 0 it is 0, the limit of what decays faster.
template <typename T>
RAVINE_HOST_DEVICE T finite_below(T x) {
  constexpr T lowest = std::numeric_limits<T>::lowest();
  return x < lowest ? lowest : x;
}

template <typename T>
RAVINE_HOST_DEVICE T square_root(T x) {
  using std::sqrt;
  return sqrt(x);
}

// -1, 0 or 1. Selections instead of std::fmax and the like, which do not vectorize.
template <typename T>
RAVINE_HOST_DEVICE T sign(T x) {
  return x > T(0) ? T(1) : (x < T(0) ? T(-1) : T(0));
}
template <typename T>
RAVINE_HOST_DEVICE T absolute(T x) {
  return x < T(0) ? -x : x;
}
template <typename T>
RAVINE_HOST_DEVICE T larger(T a, T b) {
  return a > b ? a : b;
}
template <typename T>
RAVINE_HOST_DEVICE T smaller(T a, T b) {
  return a < b ? a : b;
}

}  // namespace ravine
