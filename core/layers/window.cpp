#include "layers/window.h"

#include <algorithm>

#include "base/errors.h"

namespace ravine {

WindowSettings::WindowSettings(const Values& settings, const std::string& kind, const std::string& size)
    : height(settings.integer(size)),
      width(settings.has(size + "_width") ? settings.integer(size + "_width") : 0),
      stride(settings.integer("stride")),
      dilation(settings.has("dilation") ? settings.integer("dilation") : 1),
      pad(settings.integer("pad")),
      kind_(kind),
      same_(settings.text("padding") == "same") {
  if (width == 0) width = height;
  if (stride == 0) stride = height;
  if (same_ && pad > 0) {
    throw Error(ErrorCode::invalid_parameter,
                "is " + std::to_string(pad) + ", but padding = \"same\" chooses it; leave one of them out")
        .at_key("pad");
  }
}

Shape WindowSettings::output(const Shape& input, std::int64_t channels) const {
  check_image(kind_, input);
  return {extent(input[0], height, input), extent(input[1], width, input), channels};
}

Window WindowSettings::window(const Shape& input) const {
  return {height, width, stride, dilation, before(input[0], height), before(input[1], width)};
}

std::int64_t WindowSettings::extent(std::int64_t input, std::int64_t size, const Shape& shape) const {
  if (same_) return (input + stride - 1) / stride;
  const std::int64_t padded = input + 2 * pad;
  if (span(size) > padded) {
    throw Error(ErrorCode::shape_mismatch,
                "a " + kind_ + " window of " + std::to_string(height) + " x " + std::to_string(width) +
                    (dilation > 1 ? " with dilation " + std::to_string(dilation) : "") +
                    " does not fit an input of shape " + shape.to_string() +
                    (pad > 0 ? " padded by " + std::to_string(pad) : "") +
                    "; use a smaller window or padding = \"same\"");
  }
  return (padded - span(size)) / stride + 1;
}

std::int64_t WindowSettings::before(std::int64_t input, std::int64_t size) const {
  if (!same_) return pad;
  const std::int64_t extent = (input + stride - 1) / stride;
  return std::max<std::int64_t>(0, (extent - 1) * stride + span(size) - input) / 2;
}

void check_image(const std::string& kind, const Shape& input) {
  if (input.rank() == 3) return;
  throw Error(ErrorCode::shape_mismatch,
              "a " + kind +
                  " layer takes images of shape (height, width, channels), but its input has shape " +
                  input.to_string() + "; put it before any flatten or dense layer" +
                  (input.rank() == 2 ? ", and give images of one channel a last extent of 1" : ""));
}

}  // namespace ravine
