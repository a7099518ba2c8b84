// Dropout from counter-based bits: the mask is a function of (seed, layer, step, row, column) alone.
#include <type_traits>

#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// A row is cut into chunks of 128 columns; 16 Philox calls give its 128 numbers of 16 bits.
constexpr std::int64_t chunk = 128;
constexpr int calls = 16;

// Element e of a chunk takes half e / 64 of word (e / 16) % 4 of call e % 16; the calls run side by side.
void draw_chunk(const RandomKey& key, std::uint32_t row, std::uint32_t first_call, std::uint32_t* draws) {
  std::uint32_t words[4][calls];
  for (int call = 0; call < calls; ++call) {
    const RandomBits counter = key.counter(row, first_call + static_cast<std::uint32_t>(call));
    for (int word = 0; word < 4; ++word) words[word][call] = counter.word[word];
  }
  auto key0 = static_cast<std::uint32_t>(key.seed);
  auto key1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < philox_rounds; ++round) {
#pragma omp simd
    for (int call = 0; call < calls; ++call) {
      const RandomBits next =
          philox_round({{words[0][call], words[1][call], words[2][call], words[3][call]}}, key0, key1);
      words[0][call] = next.word[0];
      words[1][call] = next.word[1];
      words[2][call] = next.word[2];
      words[3][call] = next.word[3];
    }
    key0 += philox_key_step0;
    key1 += philox_key_step1;
  }
  for (int word = 0; word < 4; ++word) {
#pragma omp simd
    for (int call = 0; call < calls; ++call) {
      draws[word * calls + call] = words[word][call] & 0xFFFFu;
      draws[(word + 4) * calls + call] = words[word][call] >> 16;
    }
  }
}

template <typename T>
void drop(const std::uint32_t* draws, std::uint32_t threshold, T scale, const T* from, T* __restrict to,
          std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = draws[i] < threshold ? T(0) : from[i] * scale;
}

void drop(const std::uint32_t* draws, std::uint32_t threshold, float scale, const Bfloat16* from,
          Bfloat16* to, std::int64_t count) {
  float values[chunk], left[chunk];
  kernels<float>().bfloat16.widen(from, values, count);
  drop<float>(draws, threshold, scale, values, left, count);
  kernels<float>().bfloat16.round(left, to, count);
}

template <typename T>
void dropout(const RandomKey& key, double rate, bool scales, std::uint32_t first_row, Block<const T> input,
             T* output) {
  const std::uint32_t threshold = dropout_threshold(rate);
  const auto scale = static_cast<Number<T>>(scales ? 1.0 / kept_share(rate) : 1.0);
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const std::uint32_t global_row = first_row + static_cast<std::uint32_t>(row);
    for (std::int64_t begin = 0; begin < input.columns; begin += chunk) {
      std::uint32_t draws[chunk];
      draw_chunk(key, global_row, static_cast<std::uint32_t>(begin / 8), draws);
      const std::int64_t count = input.columns - begin < chunk ? input.columns - begin : chunk;
      const std::int64_t offset = row * input.stride + begin;
      drop(draws, threshold, scale, input.data + offset, output + offset, count);
    }
  }
}

}  // namespace

template <typename T>
void fill_dropout(Kernels<T>& table) {
  table.dropout = dropout<T>;
  if constexpr (std::is_same_v<T, float>) table.bfloat16.dropout = dropout<Bfloat16>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_dropout)
