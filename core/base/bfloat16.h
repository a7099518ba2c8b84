// Numbers as they are stored in bfloat16: the upper half of a float32.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace ravine {

struct Bfloat16 {
  std::uint16_t bits;

  explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

// What is computed in where a tensor's elements are T.
template <typename T>
using Number = std::conditional_t<std::is_same_v<T, Bfloat16>, float, T>;

}  // namespace ravine
