// Kernels of steps that change values of pictures of grey levels; private to pictures.cu. What is drawn for a
// step lies in tables: whether a picture gets it, and its numbers.
#pragma once

#include "backend/cuda/launch.h"
#include "rules/augmentation/step.h"

namespace ravine::cuda {

struct DrawnStep {
  const std::uint8_t* given;  // of the first picture
  const double* numbers;
  int steps;  // of a picture: the distance to the next one

  RAVINE_HOST_DEVICE bool is_given(std::int64_t picture) const { return given[picture * steps] != 0; }
  RAVINE_HOST_DEVICE double number(std::int64_t picture, int which) const {
    return numbers[picture * steps * augmentation::most_drawn + which];
  }
};

// Of the pictures at one step.
struct Pictures {
  float* values;
  std::int64_t stride;
  std::int64_t count;  // values of one
};

struct Brighten {
  DrawnStep drawn;
  Pictures pictures;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, pictures.count);
    const std::int64_t picture = (i - value) / pictures.count;
    if (!drawn.is_given(picture)) return;
    float& level = pictures.values[picture * pictures.stride + value];
    level = augmentation::grey_level(level * static_cast<float>(drawn.number(picture, 0)));
  }
};

// The mean of a picture is a sum in lanes, as the CPU adds it: value i to lane i % 12, in parts of 3072
// values that are float32 before they go on in float64. A thread adds a lane of a part.
inline constexpr int lanes_of_mean = 12;
inline constexpr int values_of_part = 3072;

struct AddLanes {
  DrawnStep drawn;
  Pictures pictures;
  std::int64_t parts;  // of a picture
  float* sums;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const auto lane = column_of(i, lanes_of_mean);
    const std::int64_t part = i / lanes_of_mean;
    const std::int64_t picture = part / parts;
    if (!drawn.is_given(picture)) return;
    const std::int64_t begin = part % parts * values_of_part;
    const std::int64_t left = pictures.count - pictures.count % lanes_of_mean - begin;
    const std::int64_t count = left < values_of_part ? left : values_of_part;
    const float* values = pictures.values + picture * pictures.stride + begin;
    float sum = 0;
    for (std::int64_t at = lane; at < count; at += lanes_of_mean) sum += values[at];
    sums[i] = sum;
  }
};

struct FindContrast {
  DrawnStep drawn;
  Pictures pictures;
  std::int64_t parts;
  int channels;
  const float* sums;
  float* offsets;
  RAVINE_HOST_DEVICE void operator()(std::int64_t picture) const {
    if (!drawn.is_given(picture)) return;
    double lanes[lanes_of_mean];
    for (double& lane : lanes) lane = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      for (int lane = 0; lane < lanes_of_mean; ++lane) {
        lanes[lane] += sums[(picture * parts + part) * lanes_of_mean + lane];
      }
    }
    const float* values = pictures.values + picture * pictures.stride;
    for (std::int64_t i = pictures.count - pictures.count % lanes_of_mean; i < pictures.count; ++i) {
      lanes[i % lanes_of_mean] += values[i];
    }
    double mean = 0;
    if (channels == 3) {
      const double red = lanes[0] + lanes[3] + lanes[6] + lanes[9];
      const double green = lanes[1] + lanes[4] + lanes[7] + lanes[10];
      const double blue = lanes[2] + lanes[5] + lanes[8] + lanes[11];
      mean = (0.299 * red + 0.587 * green + 0.114 * blue) / static_cast<double>(pictures.count / 3);
    } else {
      for (const double lane : lanes) mean += lane;
      mean /= static_cast<double>(pictures.count);
    }
    const auto factor = static_cast<float>(drawn.number(picture, 0));
    offsets[picture] = static_cast<float>((1.0 - static_cast<double>(factor)) * mean);
  }
};

struct ChangeContrast {
  DrawnStep drawn;
  Pictures pictures;
  const float* offsets;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, pictures.count);
    const std::int64_t picture = (i - value) / pictures.count;
    if (!drawn.is_given(picture)) return;
    float& level = pictures.values[picture * pictures.stride + value];
    const auto factor = static_cast<float>(drawn.number(picture, 0));
    level = augmentation::grey_level(level * factor + offsets[picture]);
  }
};

struct AddColour {
  DrawnStep drawn;
  Pictures pictures;
  const augmentation::Step* step;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, pictures.count);
    const std::int64_t picture = (i - value) / pictures.count;
    if (!drawn.is_given(picture)) return;
    const double* axis = step->setting + 3 * (value % 3);
    const auto offset =
        static_cast<float>(axis[0] * drawn.number(picture, 0) + axis[1] * drawn.number(picture, 1) +
                           axis[2] * drawn.number(picture, 2));
    float& level = pictures.values[picture * pictures.stride + value];
    level = augmentation::grey_level(level + offset);
  }
};

// A thread takes the eight values that one draw has bits for.
struct AddNoise {
  static constexpr int of_call = 8;

  DrawnStep drawn;
  Pictures pictures;
  std::int64_t calls;  // of a picture
  const std::int64_t* samples;
  augmentation::Key key;  // but for the sample
  float deviation;
  const float* quantiles;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t call = column_of(i, calls);
    const std::int64_t picture = (i - call) / calls;
    if (!drawn.is_given(picture)) return;
    augmentation::Key own = key;
    own.sample = static_cast<std::uint32_t>(samples[picture]);
    const RandomBits bits = own.draw(1 + static_cast<std::uint32_t>(call));  // 0 is the step's own
    const std::int64_t begin = call * of_call;
    for (int k = 0; k < of_call && begin + k < pictures.count; ++k) {
      const std::uint32_t word = bits.word[k / 2];
      const std::uint32_t number = k % 2 == 1 ? word >> 16 : word & 0xFFFFu;
      float& level = pictures.values[picture * pictures.stride + begin + k];
      level = augmentation::grey_level(level + deviation * quantiles[number]);
    }
  }
};

struct CutOut {
  DrawnStep drawn;
  Pictures pictures;
  int width;
  int channels;
  int size;
  float fill;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t value = column_of(i, pictures.count);
    const std::int64_t picture = (i - value) / pictures.count;
    if (!drawn.is_given(picture)) return;
    const auto pixel = static_cast<int>(value / channels);
    const int down = pixel / width - (static_cast<int>(drawn.number(picture, 0)) - size / 2);
    const int across = pixel % width - (static_cast<int>(drawn.number(picture, 1)) - size / 2);
    if (down < 0 || down >= size || across < 0 || across >= size) return;
    pictures.values[picture * pictures.stride + value] = fill;
  }
};

}  // namespace ravine::cuda
