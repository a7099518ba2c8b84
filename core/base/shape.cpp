#include "base/shape.h"

#include "base/errors.h"

namespace ravine {

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  constexpr std::int64_t most = std::int64_t{1} << 40;
  for (std::int64_t extent : extents_) {
    if (extent > 0 && product > most / extent) {
      throw Error(ErrorCode::shape_mismatch, "a tensor of shape " + to_string() + " has too many values");
    }
    product *= extent;
  }
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
