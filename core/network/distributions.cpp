#include "network/distributions.h"

#include <algorithm>
#include <numeric>

namespace ravine {
namespace {

// Bins by size, as they are packed: 0 for zero (and what is as small as no normal float32), b > 0 for the
// b-th bin above it, -b for that of the opposite values.
constexpr int half = histogram_bins / 2;  // bins of a sign
// The first bins_of_factor bins of a sign hold zero, the last ones what is not finite.
constexpr int first_not_finite = 255 * bins_of_factor;
constexpr int largest = first_not_finite - bins_of_factor;
constexpr std::size_t most_steps = 64;  // that wait to be drained

constexpr std::size_t most_bytes_of_bin = 2 + 9;  // two numbers of seven bits a byte, below 2^14 and 2^63
constexpr std::size_t bytes_beside = 256 << 10;   // so that most steps find room without a drain

std::uint8_t* put(std::uint64_t number, std::uint8_t* to) noexcept {
  while (number >= 128) {
    *to++ = static_cast<std::uint8_t>(number | 128);
    number >>= 7;
  }
  *to++ = static_cast<std::uint8_t>(number);
  return to;
}

}  // namespace

Distributions::Distributions(const Graph& graph, const std::vector<bool>& observed, Backend& backend,
                             int most_threads, DType dtype)
    : backend_(backend),
      dtype_(dtype),
      outputs_(graph.layers.size()),
      lanes_(static_cast<std::size_t>(most_threads)) {
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const GraphLayer& layer = graph.layers[i];
    if (observed[i]) {
      sources_.push_back({DistributionKind::output, layer.name, static_cast<int>(i), 0, histogram_bins});
    }
    for (int p = layer.first_parameter; p < layer.first_parameter + layer.parameter_count; ++p) {
      const GraphParameter& parameter = graph.parameters[static_cast<std::size_t>(p)];
      for (DistributionKind kind : {DistributionKind::weight, DistributionKind::gradient}) {
        sources_.push_back({kind, parameter.name, p, parameter.offset, parameter.spec.shape.elements()});
      }
    }
  }
  for (DistributionKind kind :
       {DistributionKind::output, DistributionKind::gradient, DistributionKind::weight}) {
    share_out(kind);
  }
  for (Lane& lane : lanes_) {
    for (std::size_t source : lane.sources) {
      lane.most_of_step += most_bytes_of_bin * static_cast<std::size_t>(std::min<std::int64_t>(
                                                   elements_of(source), histogram_bins));
    }
    lane.entries.reserve(most_steps * lane.sources.size());
    lane.capacity = lane.most_of_step + bytes_beside;
    lane.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(lane.capacity);
    lane.histogram = std::make_unique<Histogram>();
  }
}

// The largest first, each to the worker that has the least.
void Distributions::share_out(DistributionKind kind) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].kind == kind) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return elements_of(a) > elements_of(b); });
  std::vector<std::int64_t> work(lanes_.size());
  for (std::size_t source : order) {
    const auto least = std::min_element(work.begin(), work.end());
    *least += histogram_bins + elements_of(source);
    lanes_[static_cast<std::size_t>(least - work.begin())].sources.push_back(source);
  }
}

void Distributions::begin() {
  // A step that was given up leaves what it had counted.
  if (!outputs_are_empty_) std::fill(outputs_.begin(), outputs_.end(), Histogram{});
  outputs_are_empty_ = false;
}

bool Distributions::is_full() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
    return lane.entries.size() + lane.sources.size() > lane.entries.capacity() ||
           lane.used + lane.most_of_step > lane.capacity;
  });
}

void Distributions::record(DistributionKind kind, std::int64_t step, const void* values,
                           Worker& worker) noexcept {
  for (auto lane = static_cast<std::size_t>(worker.index); lane < lanes_.size();
       lane += static_cast<std::size_t>(worker.count)) {
    record(kind, step, values, lanes_[lane]);
  }
  if (kind == DistributionKind::output && worker.index == 0) outputs_are_empty_ = true;
}

void Distributions::record(DistributionKind kind, std::int64_t step, const void* values,
                           Lane& lane) noexcept {
  for (std::size_t index : lane.sources) {
    const DistributionSource& source = sources_[index];
    if (source.kind != kind) continue;
    const bool of_layer = kind == DistributionKind::output;
    Histogram& histogram = of_layer ? outputs_[static_cast<std::size_t>(source.index)] : *lane.histogram;
    if (!of_layer) {
      const auto* begin =
          static_cast<const std::byte*>(values) + source.offset * static_cast<std::int64_t>(size_of(dtype_));
      backend_.add_to_histogram(dtype_, begin, source.elements, histogram);
    }
    const std::size_t begin = lane.used;
    const double minimum = histogram.minimum;
    const double maximum = histogram.maximum;
    lane.used += pack(histogram, lane.bytes.get() + begin);
    lane.entries.push_back({step, index, minimum, maximum, begin, lane.used});
  }
}

// For each bin that is not empty, in their order, how far it is from the one before (the first: from the
// lowest) and its count, as numbers of seven bits a byte, the low ones first. Empties the histogram.
std::size_t Distributions::pack(Histogram& histogram, std::uint8_t* to) noexcept {
  std::uint8_t* at = to;
  int before = -largest;
  const auto put_bin = [&](int bin, std::int64_t count) {
    if (count == 0) return;
    at = put(static_cast<std::uint64_t>(bin - before), at);
    at = put(static_cast<std::uint64_t>(count), at);
    before = bin;
  };
  std::int64_t* positive = histogram.counts;
  std::int64_t* negative = histogram.counts + half;
  std::int64_t zeros = 0;
  for (std::int64_t* counts : {positive, negative}) {
    zeros = std::accumulate(counts, counts + bins_of_factor, zeros);
    std::fill(counts, counts + bins_of_factor, 0);
    std::fill(counts + first_not_finite, counts + half, 0);
  }
  for (int last = first_not_finite - 1; last > bins_of_factor; last -= bins_of_factor) {
    std::int64_t* counts = negative + last - (bins_of_factor - 1);
    if (is_empty(counts)) continue;
    for (int place = last; place > last - bins_of_factor; --place) {
      put_bin(bins_of_factor - 1 - place, negative[place]);
    }
    std::fill(counts, counts + bins_of_factor, 0);
  }
  put_bin(0, zeros);
  for (int first = bins_of_factor; first < first_not_finite; first += bins_of_factor) {
    std::int64_t* counts = positive + first;
    if (is_empty(counts)) continue;
    for (int place = first; place < first + bins_of_factor; ++place) {
      put_bin(place - (bins_of_factor - 1), positive[place]);
    }
    std::fill(counts, counts + bins_of_factor, 0);
  }
  histogram.minimum = std::numeric_limits<double>::infinity();
  histogram.maximum = -histogram.minimum;
  return static_cast<std::size_t>(at - to);
}

void Distributions::take_back(std::int64_t step) {
  for (Lane& lane : lanes_) {
    while (!lane.entries.empty() && lane.entries.back().step == step) {
      lane.used = lane.entries.back().begin;
      lane.entries.pop_back();
    }
  }
}

std::vector<DistributionRecord> Distributions::drain() {
  std::vector<DistributionRecord> records;
  for (Lane& lane : lanes_) {
    for (const Entry& entry : lane.entries) {
      const char* bytes = reinterpret_cast<const char*>(lane.bytes.get());
      records.push_back({entry.step, entry.source, entry.minimum, entry.maximum,
                         std::string(bytes + entry.begin, entry.end - entry.begin)});
    }
    lane.entries.clear();
    lane.used = 0;
  }
  std::sort(records.begin(), records.end(), [](const DistributionRecord& a, const DistributionRecord& b) {
    return a.step != b.step ? a.step < b.step : a.source < b.source;
  });
  return records;
}

}  // namespace ravine
