// Rounding for sums that travel in bfloat16; the compiler makes vectors of these loops.
#include <bit>
#include <cmath>

#include "communication/communicator.h"

namespace ravine {
namespace {

// To the nearest, ties to even; NaN stays one, though its upper half alone may be that of an infinity.
std::uint16_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<std::uint16_t>(is_nan ? (bits >> 16) | 0x40u : nearest);
}

float widened(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

}  // namespace

void round_to_bfloat16(const float* values, std::uint16_t* to, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) to[i] = rounded(values[i]);
}

void widen_bfloat16(const std::uint16_t* from, float* values, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) values[i] = widened(from[i]);
}

void add_bfloat16(const std::uint16_t* values, std::uint16_t* sums, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) sums[i] = rounded(widened(sums[i]) + widened(values[i]));
}

}  // namespace ravine
