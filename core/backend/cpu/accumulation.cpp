#include "backend/cpu/accumulation.h"

#include <algorithm>

#include "backend/cpu/simd/kernels.h"
#include "backend/cpu/team.h"

namespace ravine::cpu {
namespace {

constexpr std::int64_t tile_size = 16384;

template <typename T>
class CpuAccumulation final : public PreparedAccumulation {
 public:
  CpuAccumulation(T* gradients, T* sum, const std::vector<BufferRange>& ranges) : squares_(ranges.size()) {
    for (std::size_t range = 0; range < ranges.size(); ++range) {
      for (std::int64_t begin = ranges[range].begin; begin < ranges[range].end; begin += tile_size) {
        const std::int64_t count = std::min(tile_size, ranges[range].end - begin);
        tiles_.push_back({range, begin, gradients + begin, sum == nullptr ? nullptr : sum + begin, count, 0});
      }
    }
  }

  void add(double weight, bool first, Worker& worker) noexcept override {
    for_own(worker, [&](const Tile& tile) {
      kernels<T>().accumulate(tile.gradient, static_cast<T>(weight), first, tile.sum, tile.count);
    });
  }

  void finish(double weight, double scale, Worker& worker) noexcept override {
    for_own(worker, [&](Tile& tile) {
      tile.squares = kernels<T>().finish_sum(tile.sum, static_cast<T>(weight), static_cast<T>(scale),
                                             tile.gradient, tile.count);
    });
    total(worker);
  }

  void add_sum(std::int64_t begin, std::int64_t end, Worker& worker) noexcept override {
    for_own(worker, [&](const Tile& tile) {
      const std::int64_t from = std::max(begin, tile.begin);
      const std::int64_t count = std::min(end, tile.begin + tile.count) - from;
      if (count <= 0) return;
      kernels<T>().accumulate(tile.sum + (from - tile.begin), T(1), false,
                              tile.gradient + (from - tile.begin), count);
    });
  }

  void measure(Worker& worker) noexcept override {
    for_own(worker, [&](Tile& tile) {
      tile.squares = kernels<T>().squares({tile.gradient, 1, tile.count, tile.count});
    });
    total(worker);
  }

  const std::vector<double>& squares() const override { return squares_; }

 private:
  struct Tile {
    std::size_t range;
    std::int64_t begin;
    T* gradient;
    T* sum;
    std::int64_t count;
    double squares;
  };

  void total(Worker& worker) noexcept {
    worker.barrier();
    if (worker.index == 0) {
      std::fill(squares_.begin(), squares_.end(), 0.0);
      for (const Tile& tile : tiles_) squares_[tile.range] += tile.squares;
    }
    worker.barrier();
  }

  template <typename Visit>
  void for_own(const Worker& worker, Visit&& visit) noexcept {
    const TileRange share = share_of(static_cast<int>(tiles_.size()), worker);
    for (int tile = share.begin; tile < share.end; ++tile) visit(tiles_[static_cast<std::size_t>(tile)]);
  }

  std::vector<Tile> tiles_;
  std::vector<double> squares_;
};

template <typename T>
class CpuAverage final : public PreparedAverage {
 public:
  CpuAverage(const T* values, T* average, std::int64_t count)
      : values_(values), average_(average), count_(count) {}

  void run(double rate, Worker& worker) noexcept override {
    const int tiles = static_cast<int>((count_ + tile_size - 1) / tile_size);
    const TileRange share = share_of(tiles, worker);
    if (share.begin == share.end) return;
    const std::int64_t begin = share.begin * tile_size;
    const std::int64_t count = std::min(share.end * tile_size, count_) - begin;
    if (rate == 1) {
      std::copy_n(values_ + begin, count, average_ + begin);
    } else {
      kernels<T>().moving_average(values_ + begin, static_cast<T>(rate), average_ + begin, count);
    }
  }

 private:
  const T* values_;
  T* average_;
  std::int64_t count_;
};

}  // namespace

std::unique_ptr<PreparedAccumulation> prepare_accumulation(DType dtype, void* gradients, void* sum,
                                                           const std::vector<BufferRange>& ranges) {
  if (dtype == DType::float64) {
    return std::make_unique<CpuAccumulation<double>>(static_cast<double*>(gradients),
                                                     static_cast<double*>(sum), ranges);
  }
  return std::make_unique<CpuAccumulation<float>>(static_cast<float*>(gradients), static_cast<float*>(sum),
                                                  ranges);
}

std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                 std::int64_t count) {
  if (dtype == DType::float64) {
    return std::make_unique<CpuAverage<double>>(static_cast<const double*>(values),
                                                static_cast<double*>(average), count);
  }
  return std::make_unique<CpuAverage<float>>(static_cast<const float*>(values), static_cast<float*>(average),
                                             count);
}

}  // namespace ravine::cpu
