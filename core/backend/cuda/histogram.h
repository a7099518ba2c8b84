// How often values fall into the bins of backend/histogram.h, counted on the device: in whole numbers, so
// that no order of threads changes a count.
#pragma once

#include <bit>
#include <limits>
#include <memory>

#include "backend/backend.h"
#include "backend/cuda/cells.h"
#include "backend/cuda/launch.h"
#include "backend/histogram.h"

namespace ravine::cuda {

using Count = unsigned long long;  // that of atomic additions

// As a Histogram lies in memory, so that RunContext::outputs may name some on a device. All zero at first.
struct DeviceHistogram {
  Count counts[histogram_bins];
  Count
      lowest;  // the largest of ~ordered and of ordered(value), by which the order of numbers is that of bits
  Count highest;
};
static_assert(sizeof(DeviceHistogram) == sizeof(Histogram));

RAVINE_HOST_DEVICE Count ordered(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return bits >> 63 != 0 ? ~bits : bits | std::uint64_t{1} << 63;
}
inline double number_of(Count ordered) {
  const std::uint64_t bits = ordered >> 63 != 0 ? ordered & ~(std::uint64_t{1} << 63) : ~ordered;
  return std::bit_cast<double>(bits);
}

template <typename Number>
RAVINE_HOST_DEVICE void add_together(Number* place, Number value) {
#if defined(__CUDA_ARCH__)
  atomicAdd(place, value);
#else
  *place += value;
#endif
}
RAVINE_HOST_DEVICE void raise_together(Count* place, Count value) {
#if defined(__CUDA_ARCH__)
  atomicMax(place, value);
#else
  if (value > *place) *place = value;
#endif
}

// Values map.value(i) of a part, in shared memory first.
template <typename T, typename Map>
struct CountValues {
  static constexpr std::int64_t part = 1 << 16;

  Map map;
  std::int64_t elements;
  DeviceHistogram* histogram;

  struct Shared {
    std::uint32_t counts[histogram_bins];
    T minima[block_threads];
    T maxima[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      for (int bin = thread; bin < histogram_bins; bin += block_threads) shared.counts[bin] = 0;
    });
    block.each([&](int thread) {
      constexpr int dropped_bits = 32 - 13;
      static_assert(histogram_bins == 1 << (32 - dropped_bits));
      T minimum = std::numeric_limits<T>::infinity();
      T maximum = -minimum;
      std::uint32_t zeros = 0;  // most of all, behind some activations
      const std::int64_t begin = block.index * part;
      const std::int64_t end = begin + part < elements ? begin + part : elements;
      for (std::int64_t i = begin + thread; i < end; i += block_threads) {
        const T value = map.value(i);
        const std::uint32_t bin = std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> dropped_bits;
        if (bin == 0) {
          ++zeros;
        } else {
          add_together(&shared.counts[bin], std::uint32_t{1});
        }
        minimum = value < minimum ? value : minimum;  // neither of NaN
        maximum = value > maximum ? value : maximum;
      }
      if (zeros > 0) add_together(&shared.counts[0], zeros);
      shared.minima[thread] = minimum;
      shared.maxima[thread] = maximum;
    });
    reduce(block, shared.minima, block_threads, Smallest{});
    reduce(block, shared.maxima, block_threads, Largest{});
    block.each([&](int thread) {
      for (int bin = thread; bin < histogram_bins; bin += block_threads) {
        if (shared.counts[bin] > 0) add_together(&histogram->counts[bin], Count{shared.counts[bin]});
      }
      if (thread > 0) return;
      raise_together(&histogram->lowest, ~ordered(static_cast<double>(shared.minima[0])));
      raise_together(&histogram->highest, ordered(static_cast<double>(shared.maxima[0])));
    });
  }

 private:
  struct Smallest {
    RAVINE_HOST_DEVICE T operator()(T a, T b) const { return b < a ? b : a; }
  };
  struct Largest {
    RAVINE_HOST_DEVICE T operator()(T a, T b) const { return b > a ? b : a; }
  };
};

template <typename T>
struct StoredValues {
  Cells<T> cells;
  RAVINE_HOST_DEVICE T value(std::int64_t i) const { return cells.load(i); }
};

template <typename T, typename Map>
void count_values(Stream& stream, const Map& map, std::int64_t elements,
                  DeviceHistogram* histogram) noexcept {
  using Kernel = CountValues<T, Map>;
  for_blocks(stream, (elements + Kernel::part - 1) / Kernel::part, Kernel{map, elements, histogram});
}

// Some histograms on a device, and how they come to the host.
class DeviceHistograms {
 public:
  DeviceHistograms(Stream& stream, std::size_t count);

  DeviceHistogram* data() const { return histograms_.data(); }
  void clear() noexcept;
  // Adds each to that of the host.
  void add_to(Histogram* of_host) noexcept;

 private:
  Stream& stream_;
  Array<DeviceHistogram> histograms_;
  PinnedArray<DeviceHistogram> fetched_;
};

// Counts values on the device in the first of `memory`, which is taken where there is none.
void add_to_histogram(Stream& stream, DType dtype, const void* values, std::int64_t count,
                      std::unique_ptr<DeviceHistograms>& memory, Histogram& to) noexcept;

// Those of a program's outputs, where steps ask for them: memory is taken by the first that does, for few do.
class OutputHistograms {
 public:
  OutputHistograms(Stream& stream, int layers) : stream_(stream), layers_(layers) {}

  // The context of a run whose operations are to count on the device; it begins anew, or goes on.
  RunContext begin(const RunContext& context, bool anew) noexcept;
  // At its end, adds what was counted to the histograms that the context named.
  void finish() noexcept;

 private:
  Stream& stream_;
  int layers_;
  std::unique_ptr<DeviceHistograms> histograms_;
  Histogram* of_host_ = nullptr;  // of the run
};

// How an operation has the values of a layer's output counted.
template <typename T, typename Map>
void count_output(Stream& stream, int layer, const Map& map, std::int64_t elements,
                  const RunContext& context) noexcept {
  if (layer < 0 || context.outputs == nullptr) return;
  count_values<T>(stream, map, elements, reinterpret_cast<DeviceHistogram*>(context.outputs) + layer);
}
template <typename T>
void count_output(Stream& stream, int layer, const Cells<T>& values, std::int64_t elements,
                  const RunContext& context) noexcept {
  count_output<T>(stream, layer, StoredValues<T>{values}, elements, context);
}

}  // namespace ravine::cuda
