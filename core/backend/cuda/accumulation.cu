#include "backend/cuda/accumulation.h"

#include "backend/cuda/tiles.h"

namespace ravine::cuda {
namespace {

// sum = weight value for the first part, else sum + weight value.
template <typename T>
struct Accumulate {
  const T* value;
  StepNumber given_weight;
  bool first;
  T* sum;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const T weight = static_cast<T>(given_weight.get());
    sum[i] = first ? weight * value[i] : sum[i] + weight * value[i];
  }
};

// value = scale (sum + weight value), and the squares of a tile; without a sum, those of the values as they
// are.
template <typename T>
struct FinishTiles {
  const Tile* tiles;
  const T* sum;
  StepNumber given_weight;
  StepNumber given_scale;
  bool divides;  // by the scale, if there is one
  T* value;
  double* squares;

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    block.each([&](int thread) {
      const T weight = static_cast<T>(given_weight.get());
      const double given = given_scale.get();
      const T scale = static_cast<T>(!divides ? given : given > 0 ? 1 / given : 0.0);
      T own = 0;
      for (std::int64_t i = tile.begin + thread; i < tile.begin + tile.count; i += block_threads) {
        if (sum != nullptr) value[i] = scale * (sum[i] + weight * value[i]);
        own += value[i] * value[i];
      }
      shared.squares[thread] = static_cast<double>(own);
    });
    reduce(block, shared.squares, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) squares[block.index] = shared.squares[0];
    });
  }
};

template <typename T>
class CudaAccumulation final : public StreamAccumulation {
 public:
  CudaAccumulation(T* gradients, T* sum, const std::vector<BufferRange>& ranges,
                   const std::shared_ptr<Stream>& stream)
      : stream_(stream),
        gradients_(gradients),
        sum_(sum),
        count_(ranges.empty() ? 0 : ranges.back().end),
        tiling_(*stream, ranges),
        of_tiles_(*stream, static_cast<std::size_t>(tiling_.count())),
        of_ranges_(*stream, ranges.size()),
        squares_(ranges.size()) {}

  void add(double weight, bool first, Worker&) noexcept override { launch_add({weight}, first); }
  void finish(double weight, double scale, Worker&) noexcept override {
    finish_tiles(sum_, {weight}, {scale}, false);
    fetch();
  }
  void add_sum(std::int64_t begin, std::int64_t end, Worker&) noexcept override {
    for_each(*stream_, end - begin, Accumulate<T>{sum_ + begin, {1}, false, gradients_ + begin});
  }
  void measure(Worker&) noexcept override {
    launch_measure();
    fetch();
  }
  void launch_add(const StepNumber& weight, bool first) noexcept override {
    for_each(*stream_, count_, Accumulate<T>{gradients_, weight, first, sum_});
  }
  void launch_finish(const StepNumber& weight, const StepNumber& all) noexcept override {
    finish_tiles(sum_, weight, all, true);
  }
  void launch_measure() noexcept override { finish_tiles(nullptr, {1}, {1}, false); }
  TileSums sums() const override { return tiling_.sums(of_tiles_.data(), of_ranges_.data()); }
  const std::vector<double>& squares() const override { return squares_; }

 private:
  void finish_tiles(const T* sum, const StepNumber& weight, const StepNumber& scale, bool divides) noexcept {
    for_blocks(*stream_, tiling_.count(),
               FinishTiles<T>{tiling_.tiles(), sum, weight, scale, divides, gradients_, of_tiles_.data()});
  }
  void fetch() noexcept {
    sum_tiles(*stream_, sums());
    stream_->download(squares_.data(), of_ranges_.data(), of_ranges_.bytes());
    stream_->synchronize();
  }

  std::shared_ptr<Stream> stream_;
  T* gradients_;
  T* sum_;
  std::int64_t count_;
  Tiling tiling_;
  Array<double> of_tiles_;
  Array<double> of_ranges_;
  std::vector<double> squares_;
};

}  // namespace

void add(DType dtype, const void* values, void* sum, std::int64_t count, Stream& stream) noexcept {
  const auto with = [&]<typename T>(T) {
    for_each(stream, count, Accumulate<T>{static_cast<const T*>(values), {1}, false, static_cast<T*>(sum)});
  };
  dtype == DType::float64 ? with(double{}) : with(float{});
}

namespace {

// average += rate (value - average); at a rate of 1 the value itself.
template <typename T>
struct MoveAverage {
  const T* value;
  T given_rate;
  StepPlace place;  // of the rate, where steps are put onto the stream
  T* average;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (!place.goes()) return;
    const T rate = place.control == nullptr ? given_rate : static_cast<T>(place.numbers().average_rate);
    average[i] = rate == T(1) ? value[i] : average[i] + rate * (value[i] - average[i]);
  }
};

template <typename T>
class CudaAverage final : public StreamAverage {
 public:
  CudaAverage(const T* values, T* average, std::int64_t count, const std::shared_ptr<Stream>& stream)
      : stream_(stream), values_(values), average_(average), count_(count) {}
  void run(double rate, Worker&) noexcept override {
    for_each(*stream_, count_, MoveAverage<T>{values_, static_cast<T>(rate), {}, average_});
  }
  void launch(const StepPlace& place) noexcept override {
    for_each(*stream_, count_, MoveAverage<T>{values_, 0, place, average_});
  }
  const void* place() const override { return average_; }

 private:
  std::shared_ptr<Stream> stream_;
  const T* values_;
  T* average_;
  std::int64_t count_;
};

}  // namespace

std::unique_ptr<PreparedAccumulation> prepare_accumulation(DType dtype, void* gradients, void* sum,
                                                           const std::vector<BufferRange>& ranges,
                                                           const std::shared_ptr<Stream>& stream) {
  if (dtype == DType::float64) {
    return std::make_unique<CudaAccumulation<double>>(static_cast<double*>(gradients),
                                                      static_cast<double*>(sum), ranges, stream);
  }
  return std::make_unique<CudaAccumulation<float>>(static_cast<float*>(gradients), static_cast<float*>(sum),
                                                   ranges, stream);
}

std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                 std::int64_t count, const std::shared_ptr<Stream>& stream) {
  if (dtype == DType::float64) {
    return std::make_unique<CudaAverage<double>>(static_cast<const double*>(values),
                                                 static_cast<double*>(average), count, stream);
  }
  return std::make_unique<CudaAverage<float>>(static_cast<const float*>(values), static_cast<float*>(average),
                                              count, stream);
}

}  // namespace ravine::cuda
