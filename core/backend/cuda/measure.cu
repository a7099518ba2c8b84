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
      write_moments(shared.moments[0], result);
    });
  }
};

// As a tile of tiles.h is summed.
template <typename T>
struct SquareParts {
  Cells<T> values;
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
        const T value = values.load(i);
        sum += value * value;
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
  void run(const RunContext& context) noexcept override { observer_.see(cells<T>(id_), context); }

 private:
  TensorId id_;
  Observer observer_;
};

}  // namespace

PartsObserver::PartsObserver(const Preparation& preparation, const Observation& observe, std::int64_t parts)
    : stream_(preparation.stream) {
  if (observe.layer < 0) return;
  moments_ = Array<Moments>(stream_, static_cast<std::size_t>(parts));
  layer_ = preparation.measured.layer(observe.layer);
}

void PartsObserver::finish(const RunContext& context) const noexcept {
  if (parts(context) == nullptr) return;
  for_blocks(stream_, 1, FinishMoments{moments_.data(), static_cast<std::int64_t>(moments_.size()), layer_});
}

Observer::Observer(const Preparation& preparation, const Observation& observe, std::int64_t elements)
    : stream_(preparation.stream), counted_(observe.layer), parts_(elements) {
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
  if (result() != nullptr) return;
  for_blocks(stream_, 1, FinishMoments{moments_.data(), parts_.count(), layer_});
}

template <typename T>
void Observer::see(Cells<T> values, const RunContext& context) const noexcept {
  const ReadMap<T> map{values, values.is_aligned()};
  if (measures(context)) {
    for_blocks(stream_, parts_.count(), StoreMeasured<T, ReadMap<T>>{map, parts_, moments_.data(), result()});
    finish_moments();
  }
  count_output(stream_, counted_, values, parts_.elements, context);
  if (squares_.data() == nullptr || !context.squares) return;
  const Parts tiles = Parts::of_squares(parts_.elements);
  const bool alone = tiles.count() == 1;
  for_blocks(stream_, tiles.count(), SquareParts<T>{values, tiles, alone ? parameter_ : squares_.data()});
  if (!alone) for_blocks(stream_, 1, SumAll{squares_.data(), tiles.count(), parameter_});
}

template void Observer::see(Cells<float>, const RunContext&) const noexcept;
template void Observer::see(Cells<double>, const RunContext&) const noexcept;

template <typename T>
Prepared prepare_observation(TensorId id, const Observation& observe, const Preparation& preparation) {
  return std::make_unique<ObservationOperation<T>>(id, observe, preparation);
}
template Prepared prepare_observation<float>(TensorId, const Observation&, const Preparation&);
template Prepared prepare_observation<double>(TensorId, const Observation&, const Preparation&);

}  // namespace ravine::cuda
