// A matrix product whose factors are read where they lie by a rule: convolutions are such products. A block
// makes a tile of the result, 4 x 4 values a thread; both factors pass through shared memory in slices of 16
// of the summed extent, of which the next one is fetched while one is multiplied.
//
// Sides says what the factors are:
//   Tile tile(block)                       the rows, columns and depth of a block's tile; nothing to do:
//   !exists Left left(tile, row)                   what is kept of a row of the left factor, or of 4 rows
//   from there on load_left(tile, left, depth, values)   4 values along the depth, or of 4 rows
//   (left_along_depth) Right right(tile, column), load_right  the same of the right factor store(tile, row,
//   column, values)       4 rows x 4 columns of the result
// All of them give 0 beyond the factors, and store nothing beyond the result.
#pragma once

#include "backend/cuda/cells.h"
#include "backend/cuda/per_thread.h"

namespace ravine::cuda {

// As long as four values of T, and aligned for them.
template <typename T>
struct alignas(16) Four {
  T values[4];
};

// A factor, which may be stored in bfloat16; four neighbours at once where they are aligned for it.
template <typename T>
struct Factor {
  Cells<T> cells;
  bool by_fours = false;

  RAVINE_HOST_DEVICE T load(std::int64_t i) const { return cells.load(i); }
  RAVINE_HOST_DEVICE Four<T> load_four(std::int64_t i) const {
    Four<T> four;
    if constexpr (std::is_same_v<T, float>) {
      if (cells.rounded) {
        struct alignas(8) Halves {
          std::uint32_t words[2];
        };
        const Halves halves =
            *reinterpret_cast<const Halves*>(static_cast<const std::uint16_t*>(cells.data) + i);
        RAVINE_UNROLL
        for (int j = 0; j < 2; ++j) {
          four.values[2 * j] = std::bit_cast<float>(halves.words[j] << 16);
          four.values[2 * j + 1] = std::bit_cast<float>(halves.words[j] & 0xffff0000u);
        }
        return four;
      }
    }
    four = *reinterpret_cast<const Four<T>*>(static_cast<const T*>(cells.data) + i);
    return four;
  }
};

template <typename T>
RAVINE_HOST_DEVICE void store_four(const Cells<T>& cells, std::int64_t i, const Four<T>& four) {
  if constexpr (std::is_same_v<T, float>) {
    if (cells.rounded) {
      struct alignas(8) Halves {
        std::uint32_t words[2];
      };
      Halves halves;
      RAVINE_UNROLL
      for (int j = 0; j < 2; ++j) {
        halves.words[j] =
            std::uint32_t{rounded(four.values[2 * j])} | std::uint32_t{rounded(four.values[2 * j + 1])} << 16;
      }
      *reinterpret_cast<Halves*>(static_cast<std::uint16_t*>(cells.data) + i) = halves;
      return;
    }
  }
  *reinterpret_cast<Four<T>*>(static_cast<T*>(cells.data) + i) = four;
}

// The first `count` of them, all at once where that can be.
template <typename T>
RAVINE_HOST_DEVICE void store_some(const Cells<T>& cells, bool by_fours, std::int64_t i, const Four<T>& four,
                                   int count) {
  if (by_fours) {
    if (count > 0) store_four(cells, i, four);
    return;
  }
  RAVINE_UNROLL
  for (int j = 0; j < 4; ++j) {
    if (j < count) cells.store(i + j, four.values[j]);
  }
}

// Whether neighbours from a multiple of 4 on can be had at once.
template <typename T>
bool lie_by_fours(const Cells<T>& cells, std::int64_t extent) {
  const std::size_t alignment = cells.rounded ? 8 : 16;
  return extent % 4 == 0 && reinterpret_cast<std::uintptr_t>(cells.data) % alignment == 0;
}

template <typename T, typename Sides, int tile_rows, int tile_columns>
struct ImplicitProduct {
  static constexpr int depth = 16;
  static constexpr int column_lanes = tile_columns / 4;
  static_assert(tile_rows * tile_columns == 16 * block_threads);

  // Where the fours of a factor's slice lie, and which of them a thread fetches.
  template <int extent, bool along_depth>
  struct Slice {
    static constexpr int fours = extent * depth / 4;
    static constexpr int of_thread = (fours + block_threads - 1) / block_threads;
    RAVINE_HOST_DEVICE static bool has(int four) { return fours % block_threads == 0 || four < fours; }
    RAVINE_HOST_DEVICE static int place(int four) {
      return along_depth ? four / (depth / 4) : four % (extent / 4) * 4;
    }
    RAVINE_HOST_DEVICE static int level(int four) {
      return along_depth ? four % (depth / 4) * 4 : four / (extent / 4);
    }
    Four<T> values[depth][extent / 4 + 1];

    RAVINE_HOST_DEVICE void keep(int four, const T (&fetched)[4]) {
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) {
        const int at = place(four) + (along_depth ? 0 : j);
        values[level(four) + (along_depth ? j : 0)][at / 4].values[at % 4] = fetched[j];
      }
    }
  };
  using LeftSlice = Slice<tile_rows, Sides::left_along_depth>;
  using RightSlice = Slice<tile_columns, Sides::right_along_depth>;

  Sides sides;

  struct Shared {
    LeftSlice left[2];
    RightSlice right[2];
  };
  struct Own {
    T sums[4][4];
    typename Sides::Left lefts[LeftSlice::of_thread];
    typename Sides::Right rights[RightSlice::of_thread];
    T left[LeftSlice::of_thread][4];
    T right[RightSlice::of_thread][4];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const typename Sides::Tile tile = sides.tile(block.index, tile_rows, tile_columns);
    if (!tile.exists) return;
    PerThread<Own> all;
    const int slices = (tile.depth + depth - 1) / depth;
    block.each([&](int thread) {
      Own& own = all[thread];
      begin(tile, own, thread);
      if (slices == 0) return;
      fetch(tile, own, thread, 0);
      keep(own, thread, shared, 0);
    });
    for (int slice = 0; slice < slices; ++slice) {
      block.each([&](int thread) {
        Own& own = all[thread];
        const bool has_next = slice + 1 < slices;
        if (has_next) fetch(tile, own, thread, (slice + 1) * depth);
        multiply(own, thread, shared, slice % 2);
        if (has_next) keep(own, thread, shared, (slice + 1) % 2);
      });
    }
    block.each([&](int thread) {
      sides.store(tile, tile.first_row + thread / column_lanes * 4,
                  tile.first_column + thread % column_lanes * 4, all[thread].sums);
    });
  }

 private:
  RAVINE_HOST_DEVICE void begin(const typename Sides::Tile& tile, Own& own, int thread) const {
    RAVINE_UNROLL
    for (int i = 0; i < 4; ++i) {
      RAVINE_UNROLL
      for (int j = 0; j < 4; ++j) own.sums[i][j] = 0;
    }
    RAVINE_UNROLL
    for (int i = 0; i < LeftSlice::of_thread; ++i) {
      own.lefts[i] = sides.left(tile, tile.first_row + LeftSlice::place(thread + i * block_threads));
    }
    RAVINE_UNROLL
    for (int i = 0; i < RightSlice::of_thread; ++i) {
      own.rights[i] = sides.right(tile, tile.first_column + RightSlice::place(thread + i * block_threads));
    }
  }

  RAVINE_HOST_DEVICE void fetch(const typename Sides::Tile& tile, Own& own, int thread, int from) const {
    RAVINE_UNROLL
    for (int i = 0; i < LeftSlice::of_thread; ++i) {
      const int four = thread + i * block_threads;
      if (LeftSlice::has(four))
        sides.load_left(tile, own.lefts[i], from + LeftSlice::level(four), own.left[i]);
    }
    RAVINE_UNROLL
    for (int i = 0; i < RightSlice::of_thread; ++i) {
      const int four = thread + i * block_threads;
      if (RightSlice::has(four))
        sides.load_right(tile, own.rights[i], from + RightSlice::level(four), own.right[i]);
    }
  }

  RAVINE_HOST_DEVICE static void keep(const Own& own, int thread, Shared& shared, int half) {
    RAVINE_UNROLL
    for (int i = 0; i < LeftSlice::of_thread; ++i) {
      const int four = thread + i * block_threads;
      if (LeftSlice::has(four)) shared.left[half].keep(four, own.left[i]);
    }
    RAVINE_UNROLL
    for (int i = 0; i < RightSlice::of_thread; ++i) {
      const int four = thread + i * block_threads;
      if (RightSlice::has(four)) shared.right[half].keep(four, own.right[i]);
    }
  }

  RAVINE_HOST_DEVICE static void multiply(Own& own, int thread, const Shared& shared, int half) {
    RAVINE_UNROLL
    for (int level = 0; level < depth; ++level) {
      const Four<T> left = shared.left[half].values[level][thread / column_lanes];
      const Four<T> right = shared.right[half].values[level][thread % column_lanes];
      RAVINE_UNROLL
      for (int i = 0; i < 4; ++i) {
        RAVINE_UNROLL
        for (int j = 0; j < 4; ++j) own.sums[i][j] += left.values[i] * right.values[j];
      }
    }
  }
};

// Tiles that suit so many columns; in float64 there is one.
template <typename T, typename Sides>
void run_implicit_product(Stream& stream, const Sides& sides, std::int64_t columns) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    if (columns <= 16) {
      return for_blocks(stream, sides.blocks(256, 16), ImplicitProduct<T, Sides, 256, 16>{sides});
    }
    if (columns <= 32) {
      return for_blocks(stream, sides.blocks(128, 32), ImplicitProduct<T, Sides, 128, 32>{sides});
    }
  }
  for_blocks(stream, sides.blocks(64, 64), ImplicitProduct<T, Sides, 64, 64>{sides});
}

}  // namespace ravine::cuda
