// Normalization of the weights into each unit, and the way back.
#include "backend/cuda/block_grid.h"
#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

// The weights into each unit as a block of one row.
BlockGrid by_units(TensorId weight, const Preparation& preparation) {
  const std::int64_t units = preparation.program.tensor(weight).shape[0];
  return BlockGrid({units, 1, 1, preparation.elements(weight) / units});
}

template <typename T>
struct NormalizeWeights {
  BlockGrid units;
  const T* direction;
  const T* gain;
  T* weight;

  struct Shared {
    double values[block_threads];
    double squares[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      double sum = 0;
      BlockShare(units, block, thread).each([&](std::int64_t at, std::int64_t, int) {
        const auto v = static_cast<double>(direction[at]);
        sum += v * v;
      });
      shared.values[thread] = sum;
    });
    add_groups(units, block, shared.values,
               [&](const BlockShare&, int slot, double sum) { shared.squares[slot] = sum; });
    block.each([&](int thread) {
      const BlockShare share(units, block, thread);
      if (share.groups == 0) return;
      const double length = square_root(shared.squares[share.team_begin]);
      const T factor = static_cast<T>(static_cast<double>(gain[share.first_index]) / length);
      share.each([&](std::int64_t at, std::int64_t, int) { weight[at] = factor * direction[at]; });
    });
  }
};

template <typename T>
struct NormalizeWeightsGradient {
  BlockGrid units;
  const T* direction;
  const T* gain;
  const T* weight_gradient;
  T* direction_gradient;
  T* gain_gradient;

  struct Shared {
    double values[block_threads];
    double products[block_threads];
    double squares[block_threads];
    double along[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      double squares = 0;
      double along = 0;
      BlockShare(units, block, thread).each([&](std::int64_t at, std::int64_t, int) {
        const auto v = static_cast<double>(direction[at]);
        squares += v * v;
        along += static_cast<double>(weight_gradient[at]) * v;
      });
      shared.values[thread] = squares;
      shared.products[thread] = along;
    });
    add_groups(units, block, shared.values,
               [&](const BlockShare&, int slot, double sum) { shared.squares[slot] = sum; });
    add_groups(units, block, shared.products,
               [&](const BlockShare&, int slot, double sum) { shared.along[slot] = sum; });
    block.each([&](int thread) {
      const BlockShare share(units, block, thread);
      if (share.groups == 0) return;
      const double square = shared.squares[share.team_begin];
      const double along = shared.along[share.team_begin];
      const double length = square_root(square);
      const T factor = static_cast<T>(static_cast<double>(gain[share.first_index]) / length);
      const T slope = static_cast<T>(along / square);
      if (share.lane == 0) gain_gradient[share.first_index] = static_cast<T>(along / length);
      share.each([&](std::int64_t at, std::int64_t, int) {
        direction_gradient[at] = factor * (weight_gradient[at] - slope * direction[at]);
      });
    });
  }
};

template <typename T>
class WeightNormalizationOperation final : public CudaOperation {
 public:
  WeightNormalizationOperation(const WeightNormalization& o, const Preparation& preparation)
      : CudaOperation(preparation), operation_(o), units_(by_units(o.direction, preparation)) {}
  void run(const RunContext&) noexcept override {
    for_blocks(stream_, units_.blocks(),
               NormalizeWeights<T>{units_, at<const T>(operation_.direction), at<const T>(operation_.gain),
                                   at<T>(operation_.weight)});
  }

 private:
  WeightNormalization operation_;
  BlockGrid units_;
};

template <typename T>
class WeightNormalizationGradientOperation final : public CudaOperation {
 public:
  WeightNormalizationGradientOperation(const WeightNormalizationGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        units_(by_units(o.direction, preparation)),
        direction_(preparation, o.observe_direction, preparation.elements(o.direction_gradient)),
        gain_(preparation, o.observe_gain, preparation.elements(o.gain_gradient)) {}

  void run(const RunContext& context) noexcept override {
    T* const direction_gradient = at<T>(operation_.direction_gradient);
    T* const gain_gradient = at<T>(operation_.gain_gradient);
    for_blocks(stream_, units_.blocks(),
               NormalizeWeightsGradient<T>{
                   units_, at<const T>(operation_.direction), at<const T>(operation_.gain),
                   at<const T>(operation_.weight_gradient), direction_gradient, gain_gradient});
    direction_.see<T>(direction_gradient, context);
    gain_.see<T>(gain_gradient, context);
  }

 private:
  WeightNormalizationGradient operation_;
  BlockGrid units_;
  Observer direction_;
  Observer gain_;
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const WeightNormalization& o, const Preparation& preparation) {
  return std::make_unique<WeightNormalizationOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_normalization(const WeightNormalizationGradient& o, const Preparation& preparation) {
  return std::make_unique<WeightNormalizationGradientOperation<T>>(o, preparation);
}
template Prepared prepare_normalization<float>(const WeightNormalization&, const Preparation&);
template Prepared prepare_normalization<double>(const WeightNormalization&, const Preparation&);
template Prepared prepare_normalization<float>(const WeightNormalizationGradient&, const Preparation&);
template Prepared prepare_normalization<double>(const WeightNormalizationGradient&, const Preparation&);

}  // namespace ravine::cuda
