#include "base/random.h"

#include <utility>

namespace ravine {

__extension__ using Wide = unsigned __int128;

void shuffled_order(std::uint64_t seed, std::uint32_t epoch, std::int64_t count, std::int64_t* order) {
  for (std::int64_t i = 0; i < count; ++i) order[i] = i;
  const RandomKey key{seed, RandomPurpose::shuffle, 0, epoch};
  for (std::int64_t i = count - 1; i > 0; --i) {
    const RandomBits bits = key.bits(static_cast<std::uint64_t>(i));
    const std::uint64_t draw = (std::uint64_t{bits.word[0]} << 32) | bits.word[1];
    // Multiply-shift maps 64 bits onto 0 .. i with a bias below 2^-32 for any realistic data set.
    const auto pick = static_cast<std::int64_t>((static_cast<Wide>(draw) * static_cast<Wide>(i + 1)) >> 64);
    std::swap(order[i], order[pick]);
  }
}

}  // namespace ravine
