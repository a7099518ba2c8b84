#include "backend/cpu/histogram.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <type_traits>

namespace ravine::cpu {
namespace {

template <typename Better>
void replace(double& place, double value, Better&& is_better) noexcept {
  const std::atomic_ref<double> shared(place);
  double before = shared.load(std::memory_order_relaxed);
  while (is_better(value, before) &&
         !shared.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

// Counted on the stack first, so that workers meet once a block and bin, not once a value.
template <typename T>
void add_to_histogram(Block<const T> block, Histogram& histogram) noexcept {
  constexpr int dropped_bits = 32 - 13;
  static_assert(histogram_bins == 1 << (32 - dropped_bits));
  std::uint32_t counts[histogram_bins] = {};
  using Number = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Number minimum = std::numeric_limits<Number>::infinity();
  Number maximum = -minimum;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const T* values = block.data + row * block.stride;
    for (std::int64_t i = 0; i < block.columns; ++i) {
      ++counts[std::bit_cast<std::uint32_t>(static_cast<float>(values[i])) >> dropped_bits];
    }
#pragma omp simd reduction(min : minimum) reduction(max : maximum)
    for (std::int64_t i = 0; i < block.columns; ++i) {
      minimum = std::min(minimum, static_cast<Number>(values[i]));
      maximum = std::max(maximum, static_cast<Number>(values[i]));
    }
  }
  for (int first = 0; first < histogram_bins; first += bins_of_factor) {
    if (is_empty(counts + first)) continue;
    for (int bin = first; bin < first + bins_of_factor; ++bin) {
      if (counts[bin] == 0) continue;
      const std::atomic_ref<std::int64_t> shared(histogram.counts[bin]);
      shared.fetch_add(counts[bin], std::memory_order_relaxed);
    }
  }
  replace(histogram.minimum, static_cast<double>(minimum), [](double a, double b) { return a < b; });
  replace(histogram.maximum, static_cast<double>(maximum), [](double a, double b) { return a > b; });
}

template void add_to_histogram<float>(Block<const float>, Histogram&) noexcept;
template void add_to_histogram<double>(Block<const double>, Histogram&) noexcept;
template void add_to_histogram<Bfloat16>(Block<const Bfloat16>, Histogram&) noexcept;

}  // namespace ravine::cpu
