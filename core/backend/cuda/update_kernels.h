// The loop over an update rule, on tiles of the parameters.
#pragma once

#include <utility>

#include "backend/cuda/tiles.h"
#include "rules/penalty.h"

namespace ravine::cuda {

// What a segment of the parameters is updated by, in one step.
template <typename T>
struct SegmentStep {
  Penalty<T> penalty;
  std::int32_t variant;  // of the rule
  bool decays;           // whether the rule's own weight decay applies
  bool frozen;
  bool penalized;   // without penalties their arithmetic is left out
  bool divides_l2;  // by the norm of the segment
};

template <typename T>
struct UpdateMemory {
  T* parameters;
  const T* gradients;
  T* look_ahead;
  T* slots[4];
};

// The point where the gradient of the loss was taken.
template <typename T, typename Rule, std::size_t... Slot>
RAVINE_HOST_DEVICE T point_of([[maybe_unused]] const Rule& rule, const UpdateMemory<T>& memory,
                              std::int64_t i, std::index_sequence<Slot...>) {
  if constexpr (requires { &Rule::look_ahead; }) {
    return rule.look_ahead(memory.parameters[i], memory.slots[Slot][i]...);
  } else {
    return memory.parameters[i];
  }
}

template <typename T, typename Rule>
struct UpdateTiles {
  const Tile* tiles;
  const SegmentStep<T>* segments;
  const Rule* rules;  // of each variant
  UpdateMemory<T> memory;
  double* weight_squares;  // of each tile
  double* update_squares;

  struct Shared {
    double weights[block_threads];
    double updates[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    const SegmentStep<T> segment = segments[tile.slice];
    block.each([&](int thread) {
      const Rule rule = rules[segment.variant];
      T weights = 0;
      T updates = 0;
      for (std::int64_t i = tile.begin + thread; i < tile.begin + tile.count; i += block_threads) {
        const T before = memory.parameters[i];
        if (!segment.frozen) update(rule, segment, i, std::make_index_sequence<Rule::slots.size()>{});
        const T after = memory.parameters[i];
        weights += after * after;
        updates += (after - before) * (after - before);
      }
      shared.weights[thread] = static_cast<double>(weights);
      shared.updates[thread] = static_cast<double>(updates);
    });
    reduce(block, shared.weights, block_threads, Sum{});
    reduce(block, shared.updates, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread > 0) return;
      weight_squares[block.index] = shared.weights[0];
      update_squares[block.index] = shared.updates[0];
    });
  }

 private:
  template <std::size_t... Slot>
  RAVINE_HOST_DEVICE void update(const Rule& rule, const SegmentStep<T>& segment, std::int64_t i,
                                 std::index_sequence<Slot...> slots) const {
    T theta = memory.parameters[i];
    T g = memory.gradients[i];
    // Penalties are part of the objective: their gradient is taken where that of the loss was.
    if (segment.penalized) g = segment.penalty.gradient(g, point_of<T>(rule, memory, i, slots));
    if constexpr (requires { &Rule::decay; }) theta = segment.decays ? rule.decay(theta) : theta;
    rule.update(theta, g, memory.slots[Slot][i]...);
    if (segment.penalized) theta = segment.penalty.shrink(theta);
    memory.parameters[i] = theta;
  }
};

template <typename T, typename Rule>
struct LookAhead {
  const Tile* tiles;
  const SegmentStep<T>* segments;
  const Rule* rules;
  UpdateMemory<T> memory;

  struct Shared {};

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared&) const {
    const Tile tile = tiles[block.index];
    const SegmentStep<T>& segment = segments[tile.slice];
    block.each([&](int thread) {
      const Rule rule = rules[segment.variant];
      for (std::int64_t i = tile.begin + thread; i < tile.begin + tile.count; i += block_threads) {
        memory.look_ahead[i] =
            segment.frozen ? memory.parameters[i]
                           : point_of<T>(rule, memory, i, std::make_index_sequence<Rule::slots.size()>{});
      }
    });
  }
};

// The squares of a tile of what L2 is of, where it is of a norm.
template <typename T, typename Rule>
struct PointSquares {
  const Tile* tiles;
  const SegmentStep<T>* segments;
  const Rule* rules;
  UpdateMemory<T> memory;
  double* squares;

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    const SegmentStep<T>& segment = segments[tile.slice];
    block.each([&](int thread) {
      const Rule rule = rules[segment.variant];
      double sum = 0;
      for (std::int64_t i = tile.begin + thread; segment.divides_l2 && i < tile.begin + tile.count;
           i += block_threads) {
        const auto point =
            static_cast<double>(point_of<T>(rule, memory, i, std::make_index_sequence<Rule::slots.size()>{}));
        sum += point * point;
      }
      shared.squares[thread] = sum;
    });
    reduce(block, shared.squares, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) squares[block.index] = shared.squares[0];
    });
  }
};

template <typename T>
struct DivideL2 {
  SegmentStep<T>* segments;
  const double* squares;  // of each segment
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (segments[i].divides_l2) segments[i].penalty.divide_l2(square_root(squares[i]));
  }
};

// Limits the norm of the weights into each unit of a segment; a block a unit.
template <typename T>
struct LimitUnits {
  T* weights;
  std::int64_t unit;  // weights of each
  double max_norm;
  double* unit_squares;  // that are left

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    T* own = weights + block.index * unit;
    block.each([&](int thread) {
      double sum = 0;
      for (std::int64_t i = thread; i < unit; i += block_threads) {
        sum += static_cast<double>(own[i]) * static_cast<double>(own[i]);
      }
      shared.squares[thread] = sum;
    });
    reduce(block, shared.squares, block_threads, Sum{});
    block.each([&](int thread) {
      const double squares = shared.squares[0];
      const bool exceeds = squares > max_norm * max_norm;
      const double scale = exceeds ? max_norm / square_root(squares) : 1.0;
      for (std::int64_t i = thread; exceeds && i < unit; i += block_threads) own[i] *= static_cast<T>(scale);
      if (thread == 0) unit_squares[block.index] = squares * scale * scale;
    });
  }
};

}  // namespace ravine::cuda
