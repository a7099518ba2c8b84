// What layers with a moving window share: their settings, and the shapes that follow.
#pragma once

#include <cstdint>
#include <string>

#include "backend/program.h"

namespace ravine {

class WindowSettings {
 public:
  // `size` names the setting of the window's height; a width of 0 means a square, a stride of 0 the height.
  WindowSettings(const Values& settings, const std::string& kind, const std::string& size);

  // Height and width of the output; throws Error(shape_mismatch) where the input does not fit.
  Shape output(const Shape& input, std::int64_t channels) const;
  // The window with its padding before the first row and column.
  Window window(const Shape& input) const;

  std::int64_t height;
  std::int64_t width;
  std::int64_t stride;
  std::int64_t dilation;
  std::int64_t pad;

 private:
  std::int64_t extent(std::int64_t input, std::int64_t size, const Shape& shape) const;
  std::int64_t before(std::int64_t input, std::int64_t size) const;
  std::int64_t span(std::int64_t size) const { return (size - 1) * dilation + 1; }

  std::string kind_;  // "convolution", for messages
  bool same_;         // as many outputs as inputs, divided by the stride
};

// Throws Error(shape_mismatch) unless a sample is an image of (height, width, channels).
void check_image(const std::string& kind, const Shape& input);

}  // namespace ravine
