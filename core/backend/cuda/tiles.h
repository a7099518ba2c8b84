// Slices of a flat buffer, cut into tiles whose sums are put together in their order.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/cuda/launch.h"

namespace ravine::cuda {

struct Tile {
  std::int64_t begin;
  std::int32_t count;
  std::int32_t slice;
};

// The tiles of a slice, by their numbers.
struct TileSpan {
  std::int64_t first;
  std::int64_t end;
};

// The sum over the tiles of a slice, for each of several numbers of theirs; a block a slice and number.
struct SumTiles {
  const double* of_tiles;
  std::int64_t tiles;
  const TileSpan* spans;
  std::int64_t slices;
  double* of_slices;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const TileSpan span = spans[block.index % slices];
    const double* values = of_tiles + block.index / slices * tiles;
    block.each([&](int thread) {
      double sum = 0;
      for (std::int64_t tile = span.first + thread; tile < span.end; tile += block_threads)
        sum += values[tile];
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) of_slices[block.index] = shared.sums[0];
    });
  }
};

class Tiling {
 public:
  static constexpr std::int64_t tile_size = 4096;

  template <typename Slices>  // with a begin and an end
  Tiling(Stream& stream, const Slices& slices) {
    std::vector<Tile> tiles;
    std::vector<TileSpan> spans;
    for (const auto& slice : slices) {
      const auto first = static_cast<std::int64_t>(tiles.size());
      for (std::int64_t begin = slice.begin; begin < slice.end; begin += tile_size) {
        tiles.push_back({begin, static_cast<std::int32_t>(std::min(tile_size, slice.end - begin)),
                         static_cast<std::int32_t>(spans.size())});
      }
      spans.push_back({first, static_cast<std::int64_t>(tiles.size())});
    }
    tiles_ = array_of(stream, tiles);
    spans_ = array_of(stream, spans);
  }

  const Tile* tiles() const { return tiles_.data(); }
  std::int64_t count() const { return static_cast<std::int64_t>(tiles_.size()); }
  std::int64_t slices() const { return static_cast<std::int64_t>(spans_.size()); }
  // Kernels leave a number a tile in `of_tiles`, of several kinds one behind the other.
  void sum(Stream& stream, const double* of_tiles, double* of_slices, std::int64_t kinds = 1) const noexcept {
    for_blocks(stream, kinds * slices(), SumTiles{of_tiles, count(), spans_.data(), slices(), of_slices});
  }

 private:
  Array<Tile> tiles_;
  Array<TileSpan> spans_;
};

}  // namespace ravine::cuda
