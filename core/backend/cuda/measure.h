// Moments and sums of squares, in parts whose number depends on the shape alone, put together in their order.
#pragma once

#include <algorithm>
#include <type_traits>

#include "backend/cuda/histogram.h"
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

// Mean, variance and fraction of zeros.
RAVINE_HOST_DEVICE void write_moments(const Moments& all, double* result) {
  const double variance = all.spread / all.count;
  result[0] = all.mean;
  result[1] = variance < 0 ? 0.0 : variance;
  result[2] = all.zeros / all.count;
}

// How many elements a part has, whole packs, so that there are enough parts for a device and not too many to
// merge.
struct Parts {
  static constexpr std::int64_t least = 4096;
  static constexpr std::int64_t most_parts = 4096;
  static constexpr std::int64_t granule = 64;

  explicit Parts(std::int64_t elements = 0)
      : elements(elements), length(std::max(least, (elements / most_parts + granule) / granule * granule)) {}
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

// A map has a value of each element, and stores it: element by element by value(i) and store(i, value), or
// `at_once` neighbours by run(first, end, see), which stops at `end` and calls see(value) for each.
template <typename Map>
constexpr int at_once_of() {
  if constexpr (requires { Map::at_once; }) return Map::at_once;
  return 1;
}

template <typename Map, typename See>
RAVINE_HOST_DEVICE void run_map(const Map& map, std::int64_t first, std::int64_t end, const See& see) {
  if constexpr (requires { Map::at_once; }) {
    map.run(first, end, see);
  } else {
    const auto value = map.value(first);
    map.store(first, value);
    see(value);
  }
}

// function(i, values) of the elements i of some tensors; the result may go where one of them is. A thread
// takes a pack of each where all are aligned for it.
template <typename T, int tensors, typename Function>
struct ElementMap {
  static constexpr int at_once = Pack<T>::count;

  Function function;
  Cells<T> from[tensors];
  Cells<T> to;
  bool packed;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    T values[tensors];
    for (int k = 0; k < tensors; ++k) values[k] = from[k].load(i);
    return function(i, values);
  }
  template <typename See>
  RAVINE_HOST_DEVICE void run(std::int64_t first, std::int64_t end, const See& see) const {
    if (packed && first + at_once <= end) {
      Pack<T> packs[tensors];
      for (int k = 0; k < tensors; ++k) packs[k] = from[k].load_pack(first);
      Pack<T> result;
      for (int j = 0; j < at_once; ++j) {
        T values[tensors];
        for (int k = 0; k < tensors; ++k) values[k] = packs[k].values[j];
        result.values[j] = function(first + j, values);
        see(result.values[j]);
      }
      to.store_pack(first, result);
      return;
    }
    for (std::int64_t i = first; i < end && i < first + at_once; ++i) {
      const T result = value(i);
      to.store(i, result);
      see(result);
    }
  }
};

template <typename T, typename Function, typename... From>
ElementMap<T, static_cast<int>(sizeof...(From)), Function> element_map(const Function& function, Cells<T> to,
                                                                       const From&... from) {
  return {function, {from...}, to, to.is_aligned() && (from.is_aligned() && ...)};
}

// Values that are there already.
template <typename T>
struct ReadMap {
  static constexpr int at_once = Pack<T>::count;

  Cells<T> values;
  bool packed;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const { return values.load(i); }
  template <typename See>
  RAVINE_HOST_DEVICE void run(std::int64_t first, std::int64_t end, const See& see) const {
    if (packed && first + at_once <= end) {
      const Pack<T> pack = values.load_pack(first);
      for (int j = 0; j < at_once; ++j) see(pack.values[j]);
      return;
    }
    for (std::int64_t i = first; i < end && i < first + at_once; ++i) see(values.load(i));
  }
};

// Stores the values of a map for all elements of a part, and takes their moments on the way: of differences
// from the part's first value, so that nothing cancels.
template <typename T, typename Map>
struct StoreMeasured {
  Map map;
  Parts parts;
  Moments* moments;
  double* result;  // where there is one part: mean, variance and fraction of zeros; else null

  struct Shared {
    T shift;
    Moments moments[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t begin = parts.begin(block.index);
    const std::int64_t end = parts.end(block.index);
    constexpr int at_once = at_once_of<Map>();
    block.each([&](int thread) {
      if (thread == 0) shared.shift = map.value(begin);
    });
    block.each([&](int thread) {
      const T shift = shared.shift;
      T sum = 0;
      T squares = 0;
      std::int64_t zeros = 0;
      std::int64_t count = 0;
      for (std::int64_t i = begin + thread * at_once; i < end; i += block_threads * at_once) {
        run_map(map, i, end, [&](T value) {
          const T difference = value - shift;
          sum += difference;
          squares += difference * difference;
          zeros += value == T(0) ? 1 : 0;
          ++count;
        });
      }
      const auto n = static_cast<double>(count);
      const double all = static_cast<double>(sum);
      const double mean = count > 0 ? all / n : 0;
      shared.moments[thread] = {n, static_cast<double>(shift) + mean,
                                static_cast<double>(squares) - all * mean, static_cast<double>(zeros)};
    });
    reduce(block, shared.moments, block_threads, MergeMoments{});
    block.each([&](int thread) {
      if (thread > 0) return;
      moments[block.index] = shared.moments[0];
      if (result != nullptr) write_moments(shared.moments[0], result);
    });
  }
};

// The same without moments.
template <typename Map>
struct Store {
  Map map;
  std::int64_t elements;

  static std::int64_t count(std::int64_t elements) {
    return (elements + at_once_of<Map>() - 1) / at_once_of<Map>();
  }
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    run_map(map, i * at_once_of<Map>(), elements, [](auto) {});
  }
};

template <typename Map>
void store_all(Stream& stream, std::int64_t elements, const Map& map) noexcept {
  for_each(stream, Store<Map>::count(elements), Store<Map>{map, elements});
}

// The moments of an output that a kernel measures itself, in parts of its own cut.
class PartsObserver {
 public:
  PartsObserver(const Preparation& preparation, const Observation& observe, std::int64_t parts);

  // Where the kernel leaves them; null where nothing is measured.
  Moments* parts(const RunContext& context) const { return context.observe ? moments_.data() : nullptr; }
  void finish(const RunContext& context) const noexcept;

 private:
  Stream& stream_;
  Array<Moments> moments_;
  double* layer_ = nullptr;
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
      for_blocks(stream_, parts_.count(), StoreMeasured<T, Map>{map, parts_, moments_.data(), result()});
      finish_moments();
    } else {
      store_all(stream_, parts_.elements, map);
    }
    if constexpr (requires { map.to; }) {
      count_output(stream_, counted_, map.to, parts_.elements, context);
    } else {
      count_output(stream_, counted_, map.output, parts_.elements, context);
    }
  }
  // Measures values that are there.
  template <typename T>
  void see(Cells<T> values, const RunContext& context) const noexcept;
  template <typename T>
  void see(T* values, const RunContext& context) const noexcept {
    using Value = std::remove_const_t<T>;
    see(Cells<Value>{const_cast<Value*>(values)}, context);
  }

 private:
  // Where the moments go at once.
  double* result() const { return parts_.count() == 1 ? layer_ : nullptr; }
  void finish_moments() const noexcept;

  Stream& stream_;
  int counted_;  // the layer whose values may be counted
  Parts parts_;
  Array<Moments> moments_;  // of the parts, where a layer is measured
  Array<double> squares_;   // and where a parameter's gradient is
  double* layer_ = nullptr;
  double* parameter_ = nullptr;
};

}  // namespace ravine::cuda
