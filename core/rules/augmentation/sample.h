// The picture at a point: bilinear between pixels, with a border around the picture.
#pragma once

#include "rules/augmentation/map.h"

namespace ravine::augmentation {

inline constexpr int outside = -1;

// The pixel that stands for one outside of [0, size), or `outside`.
RAVINE_HOST_DEVICE int inside(int place, int size, Border border) {
  if (0 <= place && place < size) return place;
  if (border == Border::constant) return outside;
  if (border == Border::edge) return place < 0 ? 0 : size - 1;
  place %= 2 * size;
  if (place < 0) place += 2 * size;
  return place < size ? place : 2 * size - 1 - place;
}

// A picture in memory, of bytes or grey levels.
template <typename Value>
struct Picture {
  const Value* values;
  int height;
  int width;
  int channels;
  Border border;
  float fill;

  RAVINE_HOST_DEVICE float at(int y, int x, int channel) const {
    if (y == outside || x == outside) return fill;
    return static_cast<float>(values[(std::int64_t{y} * width + x) * channels + channel]);
  }

  // All channels of the point that a pixel of the result shows.
  RAVINE_HOST_DEVICE void sample(const Map& map, int row, int column, float* out) const {
    if (map.is_by_whole_pixels()) {
      const Affine& shift = map.affine[0];
      const int first = static_cast<int>(shift.x);
      const int y = inside(static_cast<int>(shift.y) + row, height, border);
      const int x = inside(shift.xx < 0 ? first - column : first + column, width, border);
      for (int channel = 0; channel < channels; ++channel) out[channel] = at(y, x, channel);
      return;
    }
    double x = 0;
    double y = 0;
    map.point(row, column, &x, &y);
    // Far outside all is border: keeps whole numbers within their range.
    x = clamped(x);
    y = clamped(y);
    int left = floored(x);
    int top = floored(y);
    const auto right_part = static_cast<float>(x - left);
    const auto bottom_part = static_cast<float>(y - top);
    const int right = inside(left + 1, width, border);
    const int bottom = inside(top + 1, height, border);
    left = inside(left, width, border);
    top = inside(top, height, border);
    for (int channel = 0; channel < channels; ++channel) {
      float above = at(top, left, channel);
      above += right_part * (at(top, right, channel) - above);
      float below = at(bottom, left, channel);
      below += right_part * (at(bottom, right, channel) - below);
      out[channel] = above + bottom_part * (below - above);
    }
  }

 private:
  RAVINE_HOST_DEVICE static double clamped(double value) {
    value = value > -8388608.0 ? value : -8388608.0;
    return value < 8388607.0 ? value : 8388607.0;
  }
  RAVINE_HOST_DEVICE static int floored(double value) {
    const int truncated = static_cast<int>(value);
    return truncated - (truncated > value ? 1 : 0);
  }
};

}  // namespace ravine::augmentation
