#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

// Mean, variance and fraction of zeros of all parts; one block.
struct FinishMoments {
  const Moments* parts;
  std::int64_t count;
  double* result;

  struct Shared {
    Moments moments[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      Moments all{0, 0, 0, 0};
      for (std::int64_t i = thread; i < count; i += block_threads) all = MergeMoments{}(all, parts[i]);
      shared.moments[thread] = all;
    });
    reduce(block, shared.moments, block_threads, MergeMoments{});
    block.each([&](int thread) {
      if (thread > 0) return;
      const Moments& all = shared.moments[0];
      const double variance = all.spread / all.count;
      result[0] = all.mean;
      result[1] = variance < 0 ? 0.0 : variance;
      result[2] = all.zeros / all.count;
    });
  }
};

template <typename T>
struct SquareParts {
  const T* values;
  Parts parts;
  double* sums;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t end = parts.end(block.index);
    block.each([&](int thread) {
      T sum = 0;
      for (std::int64_t i = parts.begin(block.index) + thread; i < end; i += block_threads) {
        sum += values[i] * values[i];
      }
      shared.sums[thread] = static_cast<double>(sum);
    });
    reduce(block, shared.sums, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread == 0) sums[block.index] = shared.sums[0];
    });
  }
};

template <typename T>
class ObservationOperation final : public CudaOperation {
 public:
  ObservationOperation(TensorId id, const Observation& observe, const Preparation& preparation)
      : CudaOperation(preparation), id_(id), observer_(preparation, observe, preparation.elements(id)) {}
  void run(const RunContext& context) noexcept override { observer_.see(at<const T>(id_), context); }

 private:
  TensorId id_;
  Observer observer_;
};

}  // namespace

Observer::Observer(const Preparation& preparation, const Observation& observe, std::int64_t elements)
    : stream_(preparation.stream), parts_(elements) {
  const auto parts = static_cast<std::size_t>(parts_.count());
  if (observe.layer >= 0) {
    moments_ = Array<Moments>(stream_, parts);
    layer_ = preparation.measured.layer(observe.layer);
  }
  if (observe.parameter >= 0) {
    squares_ = Array<double>(stream_, static_cast<std::size_t>(Parts::of_squares(elements).count()));
    parameter_ = preparation.measured.parameter(observe.parameter);
  }
}

void Observer::finish_moments() const noexcept {
  for_blocks(stream_, 1, FinishMoments{moments_.data(), parts_.count(), layer_});
}

template <typename T>
void Observer::see(const T* values, const RunContext& context) const noexcept {
  if (measures(context)) {
    for_blocks(stream_, parts_.count(), StoreMeasured<T, ReadMap<T>>{{values}, parts_, moments_.data()});
    finish_moments();
  }
  if (squares_.data() != nullptr && context.squares) {
    const Parts tiles = Parts::of_squares(parts_.elements);
    for_blocks(stream_, tiles.count(), SquareParts<T>{values, tiles, squares_.data()});
    for_blocks(stream_, 1, SumAll{squares_.data(), tiles.count(), parameter_});
  }
}

template void Observer::see(const float*, const RunContext&) const noexcept;
template void Observer::see(const double*, const RunContext&) const noexcept;

template <typename T>
Prepared prepare_observation(TensorId id, const Observation& observe, const Preparation& preparation) {
  return std::make_unique<ObservationOperation<T>>(id, observe, preparation);
}
template Prepared prepare_observation<float>(TensorId, const Observation&, const Preparation&);
template Prepared prepare_observation<double>(TensorId, const Observation&, const Preparation&);

}  // namespace ravine::cuda
