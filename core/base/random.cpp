#include "base/random.h"

#include <utility>

namespace ravine {

__extension__ using Wide = unsigned __int128;

namespace {

std::uint64_t draw(const RandomKey& key, std::int64_t index) {
  const RandomBits bits = key.bits(static_cast<std::uint64_t>(index));
  return (std::uint64_t{bits.word[0]} << 32) | bits.word[1];
}

}  // namespace

void order_draws(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch, std::int64_t count,
                 std::uint64_t* draws) {
  const RandomKey key{seed, RandomPurpose::shuffle, stream, epoch};
  for (std::int64_t i = 0; i < count; ++i) draws[i] = draw(key, i);
}

void shuffled_order(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch, std::int64_t count,
                    std::int64_t* order) {
  for (std::int64_t i = 0; i < count; ++i) order[i] = i;
  const RandomKey key{seed, RandomPurpose::shuffle, stream, epoch};
  for (std::int64_t i = count - 1; i > 0; --i) {
    // Multiply-shift maps 64 bits onto 0 .. i with a bias below 2^-32 for any realistic data set.
    const auto pick =
        static_cast<std::int64_t>((static_cast<Wide>(draw(key, i)) * static_cast<Wide>(i + 1)) >> 64);
    std::swap(order[i], order[pick]);
  }
}

}  // namespace ravine
