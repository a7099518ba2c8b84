// What update rules do with weights that form a matrix, where they treat these apart: the direction, its
// orthogonalization, and the step along it.
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/orthogonalization.h"
#include "backend/cuda/update_kernels.h"

namespace ravine::cuda {

// The direction of each matrix, and the squares of a tile of it.
template <typename T, typename Rule>
struct DirectionTiles {
  const Tile* tiles;
  UpdateStep<T, Rule> step;
  UpdateMemory<T> memory;
  const MatrixPlace<T>* places;  // of the segments
  T* directions;
  double* squares;

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    if (!step.place.goes()) return;
    const Tile tile = tiles[block.index];
    const SegmentStep<T> segment = step.segment(tile.slice);
    const MatrixPlace<T> place = places[tile.slice];
    block.each([&](int thread) {
      const Rule rule = step.rule(segment);
      double sum = 0;  // of values whose own squares may lie beyond float32
      const std::int64_t end = place.is_matrix() ? tile.begin + tile.count : 0;
      for (std::int64_t i = tile.begin + thread; i < end; i += block_threads) {
        const T found = direction(rule, segment, i, std::make_index_sequence<Rule::slots.size()>{});
        directions[i + place.shift] = found;
        sum += static_cast<double>(found) * static_cast<double>(found);
      }
      shared.squares[thread] = sum;
    });
    reduce(block, shared.squares, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) squares[block.index] = shared.squares[0];
    });
  }

 private:
  template <std::size_t... Slot>
  RAVINE_HOST_DEVICE T direction(const Rule& rule, const SegmentStep<T>& segment, std::int64_t i,
                                 std::index_sequence<Slot...>) const {
    const T g = segment.penalty.gradient(memory.gradients[i], memory.parameters[i]);
    return rule.direction(g, memory.slots[Slot][i]...);
  }
};

// The step along the orthogonalized direction, and the squares of weights and changes of a tile.
template <typename T, typename Rule>
struct UpdateMatrixTiles {
  const Tile* tiles;
  UpdateStep<T, Rule> step;
  UpdateMemory<T> memory;
  const MatrixPlace<T>* places;
  const T* directions;
  double* weight_squares;
  double* update_squares;

  struct Shared {
    double weights[block_threads];
    double updates[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    const MatrixPlace<T> place = places[tile.slice];
    if (!step.place.goes() || !place.is_matrix()) return;
    const SegmentStep<T> segment = step.segment(tile.slice);
    block.each([&](int thread) {
      const Rule rule = step.rule(segment);
      const T step_size = rule.step_size(place.rows, place.columns);
      T weights = 0;
      T updates = 0;
      for (std::int64_t i = tile.begin + thread; i < tile.begin + tile.count; i += block_threads) {
        const T before = memory.parameters[i];
        const T kept = segment.decays ? rule.decay_matrix(before) : before;
        const T after = segment.penalty.shrink(kept - step_size * directions[i + place.shift]);
        memory.parameters[i] = after;
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
};

// Of all matrices that move; the directions go by the same tiles as the rest.
template <typename T>
class MatrixUpdates {
 public:
  MatrixUpdates(Stream& stream, const std::vector<UpdateSegment>& segments, const Tiling& tiling)
      : stream_(stream), tiling_(tiling) {
    std::vector<MatrixPlace<T>> places(segments.size());
    std::vector<typename Orthogonalization<T>::Extents> extents;
    std::vector<std::size_t> of_segments;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].rows == 0 || segments[i].frozen) continue;
      of_segments.push_back(i);
      extents.push_back({segments[i].rows, segments[i].columns, static_cast<std::int64_t>(i)});
    }
    orthogonalization_ = std::make_unique<Orthogonalization<T>>(stream, extents);
    for (std::size_t matrix = 0; matrix < of_segments.size(); ++matrix) {
      const UpdateSegment& segment = segments[of_segments[matrix]];
      places[of_segments[matrix]] = {orthogonalization_->begin(matrix) - segment.begin,
                                     static_cast<T>(segment.rows), static_cast<T>(segment.columns)};
    }
    places_ = array_of(stream, places);
    of_tiles_ = Array<double>(stream, static_cast<std::size_t>(tiling.count()));
    of_segments_ = Array<double>(stream, segments.size());
  }

  const MatrixPlace<T>* places() const { return places_.data(); }

  template <typename Rule>
  void launch(const UpdateStep<T, Rule>& step, const UpdateMemory<T>& memory, double* weight_squares,
              double* update_squares) const noexcept {
    T* const directions = orthogonalization_->matrices();
    for_blocks(
        stream_, tiling_.count(),
        DirectionTiles<T, Rule>{tiling_.tiles(), step, memory, places_.data(), directions, of_tiles_.data()});
    sum_tiles(stream_, tiling_.sums(of_tiles_.data(), of_segments_.data()));
    orthogonalization_->run(of_segments_.data());
    for_blocks(stream_, tiling_.count(),
               UpdateMatrixTiles<T, Rule>{tiling_.tiles(), step, memory, places_.data(), directions,
                                          weight_squares, update_squares});
  }

 private:
  Stream& stream_;
  const Tiling& tiling_;
  std::unique_ptr<Orthogonalization<T>> orthogonalization_;
  Array<MatrixPlace<T>> places_;
  Array<double> of_tiles_;
  Array<double> of_segments_;
};

}  // namespace ravine::cuda
