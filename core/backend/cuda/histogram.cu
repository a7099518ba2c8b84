#include "backend/cuda/histogram.h"

#include <algorithm>
#include <exception>

#include "backend/cuda/transport.h"

namespace ravine::cuda {

DeviceHistograms::DeviceHistograms(Stream& stream, std::size_t count)
    : stream_(stream), histograms_(stream, count), fetched_(stream, count) {}

void DeviceHistograms::clear() noexcept { cuda::clear(histograms_.data(), histograms_.bytes(), stream_); }

void DeviceHistograms::add_to(Histogram* of_host) noexcept {
  stream_.download(fetched_.data(), histograms_.data(), histograms_.bytes());
  stream_.synchronize();
  for (std::size_t i = 0; i < fetched_.size(); ++i) {
    const DeviceHistogram& found = fetched_.data()[i];
    Histogram& to = of_host[i];
    if (found.lowest == 0) continue;  // nothing was counted
    for (int bin = 0; bin < histogram_bins; ++bin) {
      to.counts[bin] += static_cast<std::int64_t>(found.counts[bin]);
    }
    to.minimum = std::min(to.minimum, number_of(~found.lowest));
    to.maximum = std::max(to.maximum, number_of(found.highest));
  }
}

namespace {

// Whether there is memory for so many; else the stream says what is missing.
bool has_memory(std::unique_ptr<DeviceHistograms>& memory, Stream& stream, std::size_t count) noexcept {
  try {
    if (memory == nullptr) memory = std::make_unique<DeviceHistograms>(stream, count);
  } catch (const std::exception& error) {
    stream.fail(error.what());
  }
  return memory != nullptr;
}

}  // namespace

void add_to_histogram(Stream& stream, DType dtype, const void* values, std::int64_t count,
                      std::unique_ptr<DeviceHistograms>& memory, Histogram& to) noexcept {
  if (!has_memory(memory, stream, 1)) return;
  memory->clear();
  const auto with = [&]<typename T>(T) {
    count_values<T>(stream, StoredValues<T>{{const_cast<void*>(values)}}, count, memory->data());
  };
  dtype == DType::float64 ? with(double{}) : with(float{});
  memory->add_to(&to);
}

RunContext OutputHistograms::begin(const RunContext& context, bool anew) noexcept {
  of_host_ = context.outputs;
  if (of_host_ == nullptr || !has_memory(histograms_, stream_, static_cast<std::size_t>(layers_))) {
    of_host_ = nullptr;
  }
  RunContext own = context;
  own.outputs = nullptr;
  if (of_host_ == nullptr) return own;
  own.outputs = reinterpret_cast<Histogram*>(histograms_->data());
  if (anew) histograms_->clear();
  return own;
}

void OutputHistograms::finish() noexcept {
  if (of_host_ != nullptr) histograms_->add_to(of_host_);
  of_host_ = nullptr;
}

}  // namespace ravine::cuda
