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

template <typename T>
RAVINE_HOST_DEVICE T square_root(T x) {
  using std::sqrt;
  return sqrt(x);
}

}  // namespace ravine
