// A step of an augmentation of pictures, and the random numbers that are drawn for it: those of the CPU's
// steps, ravine/data/augmentation/.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace ravine::augmentation {

inline constexpr auto random_purpose = static_cast<RandomPurpose>(4);
inline constexpr int most_settings = 9;
inline constexpr int most_drawn = 4;
inline constexpr int quantiles = 65536;  // of the normal distribution, for noise

enum class Kind : int {  // in the order of KINDS in pipeline.py
  translation,
  scaling,
  rotation,
  stretch,
  shear,
  lens_distortion,
  horizontal_flip,
  random_crop,
  random_resized_crop,
  fixed_crop,
  brightness,
  contrast,
  pca_colour,
  gaussian_noise,
  cutout,
};

enum class Border : int { constant, edge, reflect };  // in the order of BORDERS in pipeline.py

struct Step {
  Kind kind = Kind::fixed_crop;
  int group_end = 0;  // of steps that move pixels: behind the last that is part of the same map
  Border border = Border::constant;
  std::uint32_t place = 0;  // in the list of settings: part of the key
  int height = 0;           // of the picture before the step, and after it
  int width = 0;
  int out_height = 0;
  int out_width = 0;
  double fill = 0;
  double probability = 1;
  double setting[most_settings] = {};
};

// What a number is drawn by, beside its call.
struct Key {
  std::uint64_t seed;
  std::uint32_t epoch;
  std::uint32_t sample;
  std::uint32_t place;

  RAVINE_HOST_DEVICE RandomBits draw(std::uint32_t call) const {
    return RandomKey{seed, random_purpose, place, epoch}.bits(sample, call);
  }
};

RAVINE_HOST_DEVICE double between(std::uint32_t word, double low, double high) {
  return low + (high - low) * uniform_open(word);
}

// A whole number in [0, count); the bias is below count / 2^32.
RAVINE_HOST_DEVICE std::uint32_t below(std::uint32_t word, std::uint32_t count) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * count) >> 32);
}

RAVINE_HOST_DEVICE float grey_level(float value) {
  value = value > 0.0f ? value : 0.0f;
  return value < 255.0f ? value : 255.0f;
}

}  // namespace ravine::augmentation
