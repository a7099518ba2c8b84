// From a key to the random parameters of a step. Of a step's four words of call 0 the first decides whether a
// picture gets it; further calls follow where more numbers are needed.
#pragma once

#include <cmath>

#include "rules/augmentation/step.h"

namespace ravine::augmentation {

inline constexpr std::uint32_t numbers_call = 1;  // the first of those that follow

// One of the two independent normal numbers of G. E. P. Box and M. E. Muller (1958).
RAVINE_HOST_DEVICE double normal(std::uint32_t first, std::uint32_t second, bool other) {
  const double angle = 6.283185307179586 * uniform_open(second);
  return std::sqrt(-2.0 * std::log(uniform_open(first))) * (other ? std::sin(angle) : std::cos(angle));
}

RAVINE_HOST_DEVICE double log_between(std::uint32_t word, double low, double high) {
  return std::exp(between(word, std::log(low), std::log(high)));
}

// Height and width that the picture is resized to, and where the window begins in it: y, x.
RAVINE_HOST_DEVICE void draw_window(const Step& step, const RandomBits& bits, bool given, double* drawn) {
  int padding = 0;
  int height = step.height;
  int width = step.width;
  const int short_side = height < width ? height : width;
  if (step.kind == Kind::random_crop) {
    padding = static_cast<int>(step.setting[0]);
  } else {
    const int low = static_cast<int>(step.setting[0]);
    const int high = static_cast<int>(step.setting[1]);
    const int length =
        given ? low + static_cast<int>(below(bits.word[3], static_cast<std::uint32_t>(high - low + 1)))
              : (low + high) / 2;
    height = (2 * length * height + short_side) / (2 * short_side);
    width = (2 * length * width + short_side) / (2 * short_side);
  }
  const int down = height + 2 * padding - step.out_height;
  const int across = width + 2 * padding - step.out_width;
  drawn[0] = height;
  drawn[1] = width;
  if (given) {
    drawn[2] = static_cast<int>(below(bits.word[1], static_cast<std::uint32_t>(down + 1))) - padding;
    drawn[3] = static_cast<int>(below(bits.word[2], static_cast<std::uint32_t>(across + 1))) - padding;
  } else {
    drawn[2] = down / 2 - padding;
    drawn[3] = across / 2 - padding;
  }
}

// Draws what the step needs; true where the picture gets it. A crop has a window in any case.
RAVINE_HOST_DEVICE bool draw_step(const Step& step, const Key& key, double* drawn) {
  const RandomBits bits = key.draw(0);
  const double* setting = step.setting;
  const bool given = uniform_open(bits.word[0]) < step.probability;
  for (int i = 0; i < most_drawn; ++i) drawn[i] = 0;
  switch (step.kind) {
    case Kind::random_crop:
    case Kind::random_resized_crop:
      draw_window(step, bits, given, drawn);
      return true;
    case Kind::fixed_crop:
      for (int i = 0; i < most_drawn; ++i) drawn[i] = setting[i];
      return true;
    default:
      break;
  }
  if (!given) return false;
  switch (step.kind) {
    case Kind::translation:
    case Kind::shear:
      drawn[0] = between(bits.word[1], -setting[0], setting[0]);
      drawn[1] = between(bits.word[2], -setting[1], setting[1]);
      break;
    case Kind::scaling:
      drawn[0] = drawn[1] = log_between(bits.word[1], setting[0], setting[1]);
      break;
    case Kind::stretch:
      drawn[0] = log_between(bits.word[1], setting[0], setting[1]);
      drawn[1] = log_between(bits.word[2], setting[0], setting[1]);
      break;
    case Kind::rotation:
      drawn[0] = between(bits.word[1], -setting[0], setting[0]);
      break;
    case Kind::lens_distortion:
      drawn[0] = between(bits.word[1], setting[0], setting[1]);
      break;
    case Kind::brightness:
    case Kind::contrast:
      drawn[0] = between(bits.word[1], 1.0 - setting[0], 1.0 + setting[0]);
      break;
    case Kind::pca_colour: {
      const RandomBits more = key.draw(numbers_call);
      drawn[0] = normal(more.word[0], more.word[1], false);
      drawn[1] = normal(more.word[0], more.word[1], true);
      drawn[2] = normal(more.word[2], more.word[3], false);
      break;
    }
    case Kind::cutout:
      drawn[0] = below(bits.word[1], static_cast<std::uint32_t>(step.height));
      drawn[1] = below(bits.word[2], static_cast<std::uint32_t>(step.width));
      break;
    default:
      break;
  }
  return true;
}

// Beta(alpha, alpha) for alpha <= 1: x / (x + y) with x = u^(1/alpha), y = v^(1/alpha), if x + y <= 1.
// Source: M. D. Joehnk (1964), in L. Devroye, "Non-uniform random variate generation", chapter 9.
RAVINE_HOST_DEVICE double joehnk(const Key& key, double alpha) {
  for (std::uint32_t call = numbers_call;; ++call) {
    const RandomBits bits = key.draw(call);
    for (int pair = 0; pair < 2; ++pair) {
      const double x = std::log(uniform_open(bits.word[2 * pair])) / alpha;
      const double y = std::log(uniform_open(bits.word[2 * pair + 1])) / alpha;
      if (std::exp(x) + std::exp(y) > 1.0) continue;
      const double largest = x > y ? x : y;  // the quotient, where both powers underflow
      return std::exp(x - largest) / (std::exp(x - largest) + std::exp(y - largest));
    }
  }
}

// Gamma(alpha, 1) for alpha > 1, one of two independent ones.
// Source: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 2000.
RAVINE_HOST_DEVICE double gamma_number(const Key& key, double alpha, std::uint32_t which) {
  const double d = alpha - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (std::uint32_t call = numbers_call + which;; call += 2) {
    const RandomBits bits = key.draw(call);
    const double x = normal(bits.word[0], bits.word[1], false);
    const double v = std::pow(1.0 + c * x, 3.0);
    if (v > 0.0 && std::log(uniform_open(bits.word[2])) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

// The share of a sample itself in its mixture, ~ Beta(alpha, alpha), and the number of the other sample.
RAVINE_HOST_DEVICE double draw_share(const Key& key, double probability, double alpha) {
  if (uniform_open(key.draw(0).word[0]) >= probability) return 1.0;
  if (alpha <= 1.0) return joehnk(key, alpha);
  const double own = gamma_number(key, alpha, 0);
  return own / (own + gamma_number(key, alpha, 1));
}
RAVINE_HOST_DEVICE std::uint32_t draw_partner(const Key& key, std::uint32_t samples) {
  return below(key.draw(0).word[1], samples);
}

}  // namespace ravine::augmentation
