// The extents of a tensor, outermost first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace ravine {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {}

  std::size_t rank() const { return extents_.size(); }
  std::int64_t operator[](std::size_t axis) const { return extents_.at(axis); }
  std::int64_t back() const { return extents_.back(); }
  const std::vector<std::int64_t>& extents() const { return extents_; }

  // The number of elements; 1 for a scalar. Throws Error(shape_mismatch) beyond 2^40.
  std::int64_t elements() const;
  // The same shape behind a leading batch extent.
  Shape with_batch(std::int64_t batch) const;
  // "32 x 28 x 28"; "scalar" without extents.
  std::string to_string() const;

  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> extents_;
};

}  // namespace ravine
