// Counter-based random numbers: Philox4x32-10.
//
// Every number is a pure function of (seed, purpose, stream, step, index), so that the same seed gives the
// same bits for any number of threads, on any device, and for any split of a batch over machines.
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <cstdint>

#include "base/host_device.h"

namespace ravine {

// 4 is that of augmentation, ravine/data/augmentation/_philox.pxd.
enum class RandomPurpose : std::uint32_t { initialize = 1, shuffle = 2, dropout = 3 };

struct RandomBits {
  std::uint32_t word[4];
};

RAVINE_HOST_DEVICE RandomBits philox_round(RandomBits counter, std::uint32_t key0, std::uint32_t key1) {
  const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.word[0];
  const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.word[2];
  return {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
           static_cast<std::uint32_t>(product1),
           static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
           static_cast<std::uint32_t>(product0)}};
}

inline constexpr int philox_rounds = 10;
inline constexpr std::uint32_t philox_key_step0 = 0x9E3779B9u;
inline constexpr std::uint32_t philox_key_step1 = 0xBB67AE85u;

RAVINE_HOST_DEVICE RandomBits philox4x32_10(RandomBits counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < philox_rounds; ++round) {
    counter = philox_round(counter, key0, key1);
    key0 += philox_key_step0;
    key1 += philox_key_step1;
  }
  return counter;
}

// What a sequence of random numbers is for. `stream` tells layers or parameters apart, `step` training steps
// or epochs; the two 32-bit halves of an index tell the numbers of one sequence apart.
struct RandomKey {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::initialize;
  std::uint32_t stream = 0;  // below 2^24
  std::uint32_t step = 0;

  RAVINE_HOST_DEVICE RandomBits counter(std::uint32_t high, std::uint32_t low) const {
    return {{low, high, step, (static_cast<std::uint32_t>(purpose) << 24) | (stream & 0xFFFFFFu)}};
  }
  RAVINE_HOST_DEVICE RandomBits bits(std::uint32_t high, std::uint32_t low) const {
    return philox4x32_10(counter(high, low), static_cast<std::uint32_t>(seed),
                         static_cast<std::uint32_t>(seed >> 32));
  }
  RAVINE_HOST_DEVICE RandomBits bits(std::uint64_t index) const {
    return bits(static_cast<std::uint32_t>(index >> 32), static_cast<std::uint32_t>(index));
  }
};

// Uniform in (0, 1), never 0 or 1, with 32 random bits.
RAVINE_HOST_DEVICE double uniform_open(std::uint32_t bits) { return (bits + 0.5) * (1.0 / 4294967296.0); }

// Dropout draws 16 bits an element and zeroes it where they are below this: the rate in 1/65536.
RAVINE_HOST_DEVICE std::uint32_t dropout_threshold(double rate) {
  const double rounded = rate * 65536.0 + 0.5;
  return static_cast<std::uint32_t>(rounded < 65535.0 ? rounded : 65535.0);
}

// The probability that an element is kept, of that rounded rate.
RAVINE_HOST_DEVICE double kept_share(double rate) {
  return (65536.0 - static_cast<double>(dropout_threshold(rate))) / 65536.0;
}

// 64 random bits for each of 0 .. count-1, for whoever orders samples: of the purpose `shuffle`.
void order_draws(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch, std::int64_t count,
                 std::uint64_t* draws);

// A new order of 0 .. count-1 for each stream and epoch: Fisher-Yates over such draws, of which the i-th says
// which of the i + 1 first elements takes place i. `order` holds count elements.
void shuffled_order(std::uint64_t seed, std::uint32_t stream, std::uint32_t epoch, std::int64_t count,
                    std::int64_t* order);

}  // namespace ravine
