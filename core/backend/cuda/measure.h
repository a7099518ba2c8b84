// Moments and sums of squares, in parts whose number depends on the shape alone, put together in their order.
#pragma once

#include <algorithm>

#include "backend/cuda/launch.h"
#include "backend/cuda/operation.h"

namespace ravine::cuda {

struct Moments {
  double count;
  double mean;
  double spread;  // sum of squared deviations from the mean
  double zeros;
};

// T. Chan, G. Golub, R. LeVeque, 1983.
struct MergeMoments {
  RAVINE_HOST_DEVICE Moments operator()(const Moments& a, const Moments& b) const {
    if (b.count == 0) return a;
    if (a.count == 0) return b;
    const double count = a.count + b.count;
    const double difference = b.mean - a.mean;
    return {count, a.mean + difference * (b.count / count),
            a.spread + b.spread + difference * difference * (a.count * b.count / count), a.zeros + b.zeros};
  }
};

// How many elements a part has, so that there are enough parts for a device and not too many to merge.
struct Parts {
  static constexpr std::int64_t least = 4096;
  static constexpr std::int64_t most_parts = 4096;

  explicit Parts(std::int64_t elements = 0)
      : elements(elements), length(std::max(least, (elements + most_parts - 1) / most_parts)) {}
  // Those of squares are the tiles of tiles.h, so that a gradient's sum is the same whoever takes it.
  static Parts of_squares(std::int64_t elements) {
    Parts parts(elements);
    parts.length = least;
    return parts;
  }
  std::int64_t count() const { return (elements + length - 1) / length; }
  RAVINE_HOST_DEVICE std::int64_t begin(std::int64_t part) const { return part * length; }
  RAVINE_HOST_DEVICE std::int64_t end(std::int64_t part) const {
    return (part + 1) * length < elements ? (part + 1) * length : elements;
  }

  std::int64_t elements;
  std::int64_t length;
};

// Stores map.value(i) by map.store(i, value) for all elements of a part, and takes their moments on the way:
// of differences from the part's first value, so that nothing cancels.
template <typename T, typename Map>
struct StoreMeasured {
  Map map;
  Parts parts;
  Moments* moments;

  struct Shared {
    T shift;
    Moments moments[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t begin = parts.begin(block.index);
    const std::int64_t end = parts.end(block.index);
    block.each([&](int thread) {
      if (thread == 0) shared.shift = map.value(begin);
    });
    block.each([&](int thread) {
      T sum = 0;
      T squares = 0;
      std::int64_t zeros = 0;
      std::int64_t count = 0;
      for (std::int64_t i = begin + thread; i < end; i += block_threads) {
        const T value = map.value(i);
        map.store(i, value);
        const T difference = value - shared.shift;
        sum += difference;
        squares += difference * difference;
        zeros += value == T(0) ? 1 : 0;
        ++count;
      }
      const auto n = static_cast<double>(count);
      const double all = static_cast<double>(sum);
      const double mean = count > 0 ? all / n : 0;
      shared.moments[thread] = {n, static_cast<double>(shared.shift) + mean,
                                static_cast<double>(squares) - all * mean, static_cast<double>(zeros)};
    });
    reduce(block, shared.moments, block_threads, MergeMoments{});
    block.each([&](int thread) {
      if (thread == 0) moments[block.index] = shared.moments[0];
    });
  }
};

// The same without moments.
template <typename Map>
struct Store {
  Map map;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { map.store(i, map.value(i)); }
};

// Values that are there already.
template <typename T>
struct ReadMap {
  const T* values;
  RAVINE_HOST_DEVICE T value(std::int64_t i) const { return values[i]; }
  RAVINE_HOST_DEVICE void store(std::int64_t, T) const {}
};

// What an operation measures of one of its outputs.
class Observer {
 public:
  Observer(const Preparation& preparation, const Observation& observe, std::int64_t elements);

  bool measures(const RunContext& context) const { return moments_.data() != nullptr && context.observe; }

  // Stores the values of the map, and measures them where it is asked to.
  template <typename T, typename Map>
  void store(const Map& map, const RunContext& context) const noexcept {
    if (measures(context)) {
      for_blocks(stream_, parts_.count(), StoreMeasured<T, Map>{map, parts_, moments_.data()});
      finish_moments();
    } else {
      for_each(stream_, parts_.elements, Store<Map>{map});
    }
  }
  // Measures values that are there.
  template <typename T>
  void see(const T* values, const RunContext& context) const noexcept;

 private:
  void finish_moments() const noexcept;

  Stream& stream_;
  Parts parts_;
  Array<Moments> moments_;  // of the parts, where a layer is measured
  Array<double> squares_;   // and where a parameter's gradient is
  double* layer_ = nullptr;
  double* parameter_ = nullptr;
};

}  // namespace ravine::cuda
