// The loop over an update rule, on tiles of the parameters.
#pragma once

#include <utility>

#include "backend/cuda/step_control.h"
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

// Where kernels find what a step goes by: its numbers, then a table of segments, then the variants of the
// rule.
template <typename T, typename Rule>
struct UpdateStep {
  static constexpr std::int64_t segments_begin = (sizeof(StepNumbers) + 15) / 16 * 16;

  StepPlace place;
  std::int64_t rules_begin;
  // Of each segment, where they are found out on the device: what its gradient is multiplied by, and the
  // squares that L2 is of. May be null.
  const double* scales;
  const double* norm_squares;

  RAVINE_HOST_DEVICE SegmentStep<T> segment(std::int64_t index) const {
    SegmentStep<T> found = reinterpret_cast<const SegmentStep<T>*>(place.at(segments_begin))[index];
    if (scales != nullptr) {
      found.penalty.scale = static_cast<T>(scales[index]);
      found.penalized = found.penalized || found.penalty.scale != T(1);
    }
    if (found.divides_l2 && norm_squares != nullptr) {
      found.penalty.divide_l2(square_root(norm_squares[index]));
    }
    return found;
  }
  RAVINE_HOST_DEVICE Rule rule(const SegmentStep<T>& segment) const {
    return reinterpret_cast<const Rule*>(place.at(rules_begin))[segment.variant];
  }
};

// Neighbours that a thread takes at once.
template <typename T, int count>
struct alignas(count * sizeof(T)) Neighbours {
  T values[count];
};

// A tile cut into vectors of 16 bytes, as the buffers lie, and single elements before and behind them.
template <typename T>
struct TileVectors {
  static constexpr int width = 16 / sizeof(T);

  RAVINE_HOST_DEVICE explicit TileVectors(const Tile& tile)
      : head((width - static_cast<int>(tile.begin % width)) % width) {
    if (head > tile.count) head = tile.count;
    vectors = (tile.count - head) / width;
    singles = tile.count - vectors * width;
  }
  // Calls one(i) for the thread's elements, and vector(i) for the first of its vectors.
  template <typename One, typename Vector>
  RAVINE_HOST_DEVICE void each(const Tile& tile, int thread, const One& one, const Vector& vector) const {
    for (int i = thread; i < vectors; i += block_threads) vector(tile.begin + head + i * width);
    if (thread < singles) one(tile.begin + (thread < head ? thread : thread + vectors * width));
  }

  int head;
  int vectors;
  int singles;
};

// A segment's matrix.
template <typename T>
struct MatrixPlace {
  std::int64_t shift = 0;  // from a parameter's place to that of its direction
  T rows = 0;              // 0 of what is no matrix, or does not move
  T columns = 0;

  RAVINE_HOST_DEVICE bool is_matrix() const { return rows > T(0); }
};

struct TwoSums {
  double weights;
  double updates;
};

// The gradient with its penalties, the rule, the soft threshold, and the squares of weights and changes: each
// element is read and written once.
template <typename T, typename Rule>
struct UpdateTiles {
  const Tile* tiles;
  UpdateStep<T, Rule> step;
  UpdateMemory<T> memory;
  double* weight_squares;  // of each tile
  double* update_squares;
  const MatrixPlace<T>* matrices;  // of the segments, of rules that move matrices otherwise

  struct Shared {
    TwoSums sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    if (!step.place.goes()) return;
    const Tile tile = tiles[block.index];
    if constexpr (requires { &Rule::direction; }) {
      if (matrices[tile.slice].is_matrix()) return;
    }
    const SegmentStep<T> segment = step.segment(tile.slice);
    block.each([&](int thread) {
      const Rule rule = step.rule(segment);
      T weights = 0;
      T updates = 0;
      const auto take = [&]<int count>(std::integral_constant<int, count>) {
        return [&](std::int64_t i) { this->template take<count>(rule, segment, i, weights, updates); };
      };
      constexpr int width = TileVectors<T>::width;
      TileVectors<T>(tile).each(tile, thread, take(std::integral_constant<int, 1>{}),
                                take(std::integral_constant<int, width>{}));
      shared.sums[thread] = {static_cast<double>(weights), static_cast<double>(updates)};
    });
    // In two steps, for a block has little else to do.
    constexpr int partial = 16;
    block.each([&](int thread) {
      if (thread < partial) add(shared.sums, thread, partial, block_threads);
    });
    block.each([&](int thread) {
      if (thread > 0) return;
      add(shared.sums, 0, 1, partial);
      weight_squares[block.index] = shared.sums[0].weights;
      update_squares[block.index] = shared.sums[0].updates;
    });
  }

 private:
  static constexpr int slots = static_cast<int>(Rule::slots.size());
  using Slots = std::make_index_sequence<Rule::slots.size()>;

  // sums[first] += sums[first + stride] + sums[first + 2 stride] ...
  RAVINE_HOST_DEVICE static void add(TwoSums* sums, int first, int stride, int end) {
    TwoSums all = sums[first];
    for (int i = first + stride; i < end; i += stride) {
      all.weights += sums[i].weights;
      all.updates += sums[i].updates;
    }
    sums[first] = all;
  }

  template <int count>
  RAVINE_HOST_DEVICE void take(const Rule& rule, const SegmentStep<T>& segment, std::int64_t i, T& weights,
                               T& updates) const {
    using Some = Neighbours<T, count>;
    Some theta = *reinterpret_cast<const Some*>(memory.parameters + i);
    if (segment.frozen) {
      for (int k = 0; k < count; ++k) weights += theta.values[k] * theta.values[k];
      return;
    }
    const Some g = *reinterpret_cast<const Some*>(memory.gradients + i);
    Some slot[slots > 0 ? slots : 1];
    for (int s = 0; s < slots; ++s) slot[s] = *reinterpret_cast<const Some*>(memory.slots[s] + i);
    for (int k = 0; k < count; ++k) {
      const T before = theta.values[k];
      const T after = updated(rule, segment, before, g.values[k], slot, k, Slots{});
      theta.values[k] = after;
      weights += after * after;
      updates += (after - before) * (after - before);
    }
    *reinterpret_cast<Some*>(memory.parameters + i) = theta;
    for (int s = 0; s < slots; ++s) *reinterpret_cast<Some*>(memory.slots[s] + i) = slot[s];
  }

  template <typename Some, std::size_t... Slot>
  RAVINE_HOST_DEVICE static T updated(const Rule& rule, const SegmentStep<T>& segment, T theta, T g,
                                      [[maybe_unused]] Some* slot, [[maybe_unused]] int k,
                                      std::index_sequence<Slot...>) {
    // Penalties are part of the objective: their gradient is taken where that of the loss was.
    if (segment.penalized) {
      T point = theta;
      if constexpr (requires { &Rule::look_ahead; }) point = rule.look_ahead(theta, slot[Slot].values[k]...);
      g = segment.penalty.gradient(g, point);
    }
    if constexpr (requires { &Rule::decay; }) theta = segment.decays ? rule.decay(theta) : theta;
    rule.update(theta, g, slot[Slot].values[k]...);
    return segment.penalized ? segment.penalty.shrink(theta) : theta;
  }
};

// The point where the gradient of the loss is taken.
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
struct LookAhead {
  const Tile* tiles;
  UpdateStep<T, Rule> step;
  UpdateMemory<T> memory;

  struct Shared {};

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared&) const {
    const Tile tile = tiles[block.index];
    const SegmentStep<T> segment = step.segment(tile.slice);
    block.each([&](int thread) {
      const Rule rule = step.rule(segment);
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
  UpdateStep<T, Rule> step;  // without these squares
  UpdateMemory<T> memory;
  double* squares;

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    const SegmentStep<T> segment = step.segment(tile.slice);
    block.each([&](int thread) {
      const Rule rule = step.rule(segment);
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

// The units of a segment, among those of all segments whose units are limited.
struct UnitSpan {
  std::int64_t first;  // number of the first
  std::int64_t end;
  std::int64_t begin;  // of the segment
  std::int64_t unit;   // weights of each
  std::int64_t segment;
};

// Limits the norm of the weights into each unit; a block a unit.
template <typename T>
struct LimitUnits {
  StepPlace place;
  const UnitSpan* spans;
  T* weights;
  double* unit_squares;  // that are left

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const double max_norm = place.numbers().max_norm;
    if (!place.goes() || !(max_norm > 0)) return;
    const UnitSpan* span = spans;
    while (block.index >= span->end) ++span;
    const std::int64_t unit = span->unit;
    T* own = weights + span->begin + (block.index - span->first) * unit;
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

// What that leaves of the segments; a block a span.
struct SumUnits {
  StepPlace place;
  const UnitSpan* spans;
  const double* unit_squares;
  double* weight_squares;  // of the segments

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    if (!place.goes() || !(place.numbers().max_norm > 0)) return;
    const UnitSpan span = spans[block.index];
    block.each([&](int thread) {
      double sum = 0;
      for (std::int64_t i = span.first + thread; i < span.end; i += block_threads) sum += unit_squares[i];
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) weight_squares[span.segment] = shared.sums[0];
    });
  }
};

}  // namespace ravine::cuda
