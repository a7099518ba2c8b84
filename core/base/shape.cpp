#include "base/shape.h"

namespace ravine {

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (std::int64_t extent : extents_) product *= extent;
  return product;
}

Shape Shape::with_batch(std::int64_t batch) const {
  std::vector<std::int64_t> extents{batch};
  extents.insert(extents.end(), extents_.begin(), extents_.end());
  return Shape(std::move(extents));
}

std::string Shape::to_string() const {
  if (extents_.empty()) return "scalar";
  std::string text;
  for (std::int64_t extent : extents_) {
    if (!text.empty()) text += " x ";
    text += std::to_string(extent);
  }
  return text;
}

}  // namespace ravine
