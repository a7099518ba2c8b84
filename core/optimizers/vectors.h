// Vector algebra of the full-batch rules: plain sums in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace ravine {

inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline double norm(std::span<const double> a) { return std::sqrt(dot(a, a)); }

// NaN where an element is.
inline double largest_magnitude(std::span<const double> a) {
  double largest = 0;
  for (const double value : a) {
    if (!(std::abs(value) <= largest)) largest = std::abs(value);
  }
  return largest;
}

inline double sum_of_magnitudes(std::span<const double> a) {
  double sum = 0;
  for (const double value : a) sum += std::abs(value);
  return sum;
}

// y <- y + factor x
inline void add(double factor, std::span<const double> x, std::span<double> y) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += factor * x[i];
}

// Step of a central difference of rounded values: truncation and rounding err alike at the cube root of
// epsilon (J. Nocedal, S. Wright, Numerical Optimization, 2006, section 8.1).
inline double difference_step() { return std::cbrt(std::numeric_limits<double>::epsilon()); }

// Curvatures below this share of the largest are what differences cannot tell from zero.
inline double difference_accuracy() { return difference_step() * difference_step(); }

}  // namespace ravine
