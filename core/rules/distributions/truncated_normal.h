#pragma once

#include <cmath>

#include "base/random.h"

namespace ravine {

// Normal with the given mean and deviation, restricted to low .. high: by the inverse of the distribution
// function Phi, as PyTorch's trunc_normal_. The deviation of what is drawn is below that of the normal.
struct TruncatedNormalDistribution {
  double mean;
  double deviation;
  double low;
  double high;

  RAVINE_HOST_DEVICE double draw(RandomBits bits) const {
    // In the lower tail, where Phi keeps its digits.
    const bool flipped = low + high > 2.0 * mean;
    const double first = (flipped ? mean - high : low - mean) / deviation;
    const double last = (flipped ? mean - low : high - mean) / deviation;
    const double from = below(first);
    const double z = quantile(from + (below(last) - from) * uniform_open(bits.word[0]));
    const double value = mean + deviation * (flipped ? -z : z);
    return value < low ? low : (value > high ? high : value);
  }

  // Phi(z), the share of a standard normal below z.
  RAVINE_HOST_DEVICE static double below(double z) {
    using std::erfc;
    return 0.5 * erfc(-z * 0.70710678118654752440);
  }

  // The z with Phi(z) = p: M. Abramowitz, I. Stegun, 1964, 26.2.23, to 4.5e-4, then two steps of Halley's
  // method, each of which triples the digits.
  RAVINE_HOST_DEVICE static double quantile(double p) {
    using std::exp, std::log, std::sqrt;
    const double tail = p < 0.5 ? p : 1.0 - p;
    const double t = sqrt(-2.0 * log(tail));
    double z =
        (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
        t;
    for (int step = 0; step < 2; ++step) {
      const double u = (below(z) - tail) * 2.50662827463100050242 * exp(0.5 * z * z);
      z -= u / (1.0 + 0.5 * z * u);
    }
    return p < 0.5 ? z : -z;
  }
};

}  // namespace ravine
