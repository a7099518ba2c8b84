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

// The sums over the tiles of each slice, for each of several kinds of numbers.
struct TileSums {
  static constexpr int of_block = block_threads / sum_lanes;

  const double* of_tiles;  // of one kind behind those of another
  std::int64_t tiles;
  const TileSpan* spans;
  std::int64_t slices;
  const std::int32_t* large;  // slices of many tiles, which have a block each
  std::int64_t large_count;
  std::int64_t kinds;
  double* of_slices;

  // At least one: something may follow the sums.
  RAVINE_HOST_DEVICE std::int64_t shared_blocks() const {
    const std::int64_t blocks = (kinds * slices + of_block - 1) / of_block;
    return blocks > 0 ? blocks : 1;
  }
  RAVINE_HOST_DEVICE std::int64_t blocks() const { return shared_blocks() + kinds * large_count; }

  RAVINE_HOST_DEVICE void sum(const Block& block, double* shared) const {
    const std::int64_t place = block.index - shared_blocks();
    if (place < 0) {
      sum(block, shared, block.index * of_block, sum_lanes);
    } else {
      sum(block, shared, place / large_count * slices + large[place % large_count], block_threads);
    }
  }

 private:
  // Of the slice and kind `first`, or of some from there on.
  RAVINE_HOST_DEVICE void sum(const Block& block, double* shared, std::int64_t first, int lanes) const {
    block.each([&](int thread) {
      const std::int64_t own = first + thread / lanes;
      double sum = 0;
      if (own < kinds * slices && lanes == lanes_of(own)) {
        const TileSpan span = spans[own % slices];
        const double* values = of_tiles + own / slices * tiles;
        for (std::int64_t i = span.first + thread % lanes; i < span.end; i += lanes) sum += values[i];
      }
      shared[thread] = sum;
    });
    reduce(block, shared, lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t own = first + thread / lanes;
      if (thread % lanes != 0 || own >= kinds * slices || lanes != lanes_of(own)) return;
      of_slices[own] = shared[thread];
    });
  }
  RAVINE_HOST_DEVICE int lanes_of(std::int64_t own) const {
    const TileSpan span = spans[own % slices];
    return span.end - span.first > many_parts ? block_threads : sum_lanes;
  }
};

struct SumTiles {
  TileSums sums;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    sums.sum(block, shared.sums);
  }
};

inline void sum_tiles(Stream& stream, const TileSums& sums) noexcept {
  for_blocks(stream, sums.blocks(), SumTiles{sums});
}

class Tiling {
 public:
  static constexpr std::int64_t tile_size = 4096;

  template <typename Slices>  // with a begin and an end
  Tiling(Stream& stream, const Slices& slices) {
    std::vector<Tile> tiles;
    std::vector<TileSpan> spans;
    std::vector<std::int32_t> large;
    for (const auto& slice : slices) {
      const auto first = static_cast<std::int64_t>(tiles.size());
      for (std::int64_t begin = slice.begin; begin < slice.end; begin += tile_size) {
        tiles.push_back({begin, static_cast<std::int32_t>(std::min(tile_size, slice.end - begin)),
                         static_cast<std::int32_t>(spans.size())});
      }
      if (static_cast<std::int64_t>(tiles.size()) - first > many_parts) {
        large.push_back(static_cast<std::int32_t>(spans.size()));
      }
      spans.push_back({first, static_cast<std::int64_t>(tiles.size())});
    }
    large_ = array_of(stream, large);
    tiles_ = array_of(stream, tiles);
    spans_ = array_of(stream, spans);
  }

  const Tile* tiles() const { return tiles_.data(); }
  std::int64_t count() const { return static_cast<std::int64_t>(tiles_.size()); }
  // Kernels leave a number a tile in `of_tiles`.
  TileSums sums(const double* of_tiles, double* of_slices, std::int64_t kinds = 1) const {
    return {of_tiles,      count(),
            spans_.data(), static_cast<std::int64_t>(spans_.size()),
            large_.data(), static_cast<std::int64_t>(large_.size()),
            kinds,         of_slices};
  }

 private:
  Array<Tile> tiles_;
  Array<TileSpan> spans_;
  Array<std::int32_t> large_;
};

}  // namespace ravine::cuda
