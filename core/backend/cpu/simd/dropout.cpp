// Dropout from counter-based bits: the mask is a function of (seed, layer, step, row, column) alone.
#include "backend/cpu/simd/table.h"

namespace ravine::cpu::RAVINE_SIMD {
namespace {

// A row is cut into chunks of 128 columns; 16 Philox calls give its 128 numbers of 16 bits.
constexpr std::int64_t chunk = 128;
constexpr int calls = 16;

template <typename T>
void dropout(const RandomKey& key, double rate, std::uint32_t first_row, Block<const T> input,
             T* __restrict output) {
  // 16 random bits an element: the rate is rounded to 1/65536, and the scale follows what is kept.
  const double rounded = rate * 65536.0 + 0.5;
  const auto threshold = static_cast<std::uint32_t>(rounded < 65535.0 ? rounded : 65535.0);
  const T scale = T(65536.0 / (65536.0 - static_cast<double>(threshold)));
  for (std::int64_t row = 0; row < input.rows; ++row) {
    const std::uint32_t global_row = first_row + static_cast<std::uint32_t>(row);
    for (std::int64_t begin = 0; begin < input.columns; begin += chunk) {
      std::uint32_t draws[chunk];
      const auto first_call = static_cast<std::uint32_t>(begin / 8);
#pragma omp simd
      for (int call = 0; call < calls; ++call) {
        const RandomBits bits = key.bits(global_row, first_call + static_cast<std::uint32_t>(call));
        // Element e of the chunk takes half e / 64 of word (e / 16) % 4 of call e % 16.
        draws[call] = bits.word[0] & 0xFFFFu;
        draws[call + 16] = bits.word[1] & 0xFFFFu;
        draws[call + 32] = bits.word[2] & 0xFFFFu;
        draws[call + 48] = bits.word[3] & 0xFFFFu;
        draws[call + 64] = bits.word[0] >> 16;
        draws[call + 80] = bits.word[1] >> 16;
        draws[call + 96] = bits.word[2] >> 16;
        draws[call + 112] = bits.word[3] >> 16;
      }
      const std::int64_t count = input.columns - begin < chunk ? input.columns - begin : chunk;
      const T* from = input.data + row * input.stride + begin;
      T* to = output + row * input.stride + begin;
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) to[i] = draws[i] < threshold ? T(0) : from[i] * scale;
    }
  }
}

}  // namespace

template <typename T>
void fill_dropout(Kernels<T>& table) {
  table.dropout = dropout<T>;
}

}  // namespace ravine::cpu::RAVINE_SIMD

RAVINE_FILL_BOTH(fill_dropout)
