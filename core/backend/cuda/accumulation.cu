#include "backend/cuda/accumulation.h"

#include "backend/cuda/tiles.h"

namespace ravine::cuda {
namespace {

// sum = weight value for the first part, else sum + weight value.
template <typename T>
struct Accumulate {
  const T* value;
  T weight;
  bool first;
  T* sum;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    sum[i] = first ? weight * value[i] : sum[i] + weight * value[i];
  }
};

// value = scale (sum + weight value), and the squares of a tile; without a sum, those of the values as they
// are.
template <typename T>
struct FinishTiles {
  const Tile* tiles;
  const T* sum;
  T weight;
  T scale;
  T* value;
  double* squares;

  struct Shared {
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const Tile tile = tiles[block.index];
    block.each([&](int thread) {
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
class CudaAccumulation final : public PreparedAccumulation {
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

  void add(double weight, bool first, Worker&) noexcept override {
    for_each(*stream_, count_, Accumulate<T>{gradients_, static_cast<T>(weight), first, sum_});
  }
  void finish(double weight, double scale, Worker&) noexcept override {
    finish_tiles(sum_, static_cast<T>(weight), static_cast<T>(scale));
  }
  void add_sum(std::int64_t begin, std::int64_t end, Worker&) noexcept override {
    for_each(*stream_, end - begin, Accumulate<T>{sum_ + begin, T(1), false, gradients_ + begin});
  }
  void measure(Worker&) noexcept override { finish_tiles(nullptr, T(1), T(1)); }
  const std::vector<double>& squares() const override { return squares_; }

 private:
  void finish_tiles(const T* sum, T weight, T scale) noexcept {
    for_blocks(*stream_, tiling_.count(),
               FinishTiles<T>{tiling_.tiles(), sum, weight, scale, gradients_, of_tiles_.data()});
    tiling_.sum(*stream_, of_tiles_.data(), of_ranges_.data());
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
  const auto with = [&]<typename T>(T one) {
    for_each(stream, count, Accumulate<T>{static_cast<const T*>(values), one, false, static_cast<T*>(sum)});
  };
  dtype == DType::float64 ? with(1.0) : with(1.0f);
}

namespace {

// average += rate (value - average); at a rate of 1 the value itself.
template <typename T>
struct MoveAverage {
  const T* value;
  T rate;
  T* average;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    average[i] = rate == T(1) ? value[i] : average[i] + rate * (value[i] - average[i]);
  }
};

template <typename T>
class CudaAverage final : public PreparedAverage {
 public:
  CudaAverage(const T* values, T* average, std::int64_t count, const std::shared_ptr<Stream>& stream)
      : stream_(stream), values_(values), average_(average), count_(count) {}
  void run(double rate, Worker&) noexcept override {
    for_each(*stream_, count_, MoveAverage<T>{values_, static_cast<T>(rate), average_});
  }

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
