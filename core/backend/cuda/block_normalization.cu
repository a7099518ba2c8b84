// Normalization of blocks by their own moments: of layers, of groups; and the way back.
#include "backend/cuda/block_grid.h"
#include "backend/cuda/column_sums.h"
#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct NormalizeBlocks {
  BlockGrid grid;
  const T* input;
  const T* scale;  // may be absent, as centre
  const T* centre;
  T epsilon;
  T* output;
  T* mean;  // may be absent, as the next
  T* inverse_deviation;

  struct Shared {
    double values[block_threads];
    double exact_means[block_threads];
    T means[block_threads];
    T inverses[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const auto count = static_cast<double>(grid.extents.rows * grid.extents.columns);
    block.each([&](int thread) {
      double sum = 0;
      BlockShare(grid, block, thread).each([&](std::int64_t at, std::int64_t, int) {
        sum += static_cast<double>(input[at]);
      });
      shared.values[thread] = sum;
    });
    add_groups(grid, block, shared.values, [&](const BlockShare& share, int slot, double sum) {
      shared.exact_means[slot] = sum / count;
      shared.means[slot] = static_cast<T>(sum / count);
      if (mean != nullptr) mean[share.first_index + share.lane] = shared.means[slot];
    });
    block.each([&](int thread) {
      double spread = 0;
      BlockShare(grid, block, thread).each([&](std::int64_t at, std::int64_t, int slot) {
        const double deviation = static_cast<double>(input[at]) - shared.exact_means[slot];
        spread += deviation * deviation;
      });
      shared.values[thread] = spread;
    });
    add_groups(grid, block, shared.values, [&](const BlockShare& share, int slot, double spread) {
      const T inverse = T(1) / square_root(static_cast<T>(spread / count) + epsilon);
      shared.inverses[slot] = inverse;
      if (inverse_deviation != nullptr) inverse_deviation[share.first_index + share.lane] = inverse;
    });
    block.each([&](int thread) {
      BlockShare(grid, block, thread).each([&](std::int64_t at, std::int64_t column, int slot) {
        T value = (input[at] - shared.means[slot]) * shared.inverses[slot];
        if (scale != nullptr) value *= scale[column];
        if (centre != nullptr) value += centre[column];
        output[at] = value;
      });
    });
  }
};

template <typename T>
class BlockNormalizationOperation final : public CudaOperation {
 public:
  BlockNormalizationOperation(const BlockNormalization& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        grid_(o.extents),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}

  void run(const RunContext& context) noexcept override {
    T* const output = at<T>(operation_.output);
    for_blocks(stream_, grid_.blocks(),
               NormalizeBlocks<T>{grid_, at<const T>(operation_.input), at<const T>(operation_.scale),
                                  at<const T>(operation_.centre), static_cast<T>(operation_.epsilon), output,
                                  at<T>(operation_.mean), at<T>(operation_.inverse_deviation)});
    observer_.see<T>(output, context);
  }

 private:
  BlockNormalization operation_;
  BlockGrid grid_;
  Observer observer_;
};

template <typename T>
struct NormalizeBlocksGradient {
  BlockGrid grid;
  const T* input;
  const T* scale;  // may be absent
  const T* mean;
  const T* inverse_deviation;
  const T* output_gradient;
  T* input_gradient;

  struct Shared {
    double values[block_threads];
    double products[block_threads];
    T averages[block_threads];
    T slopes[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const auto count = static_cast<double>(grid.extents.rows * grid.extents.columns);
    block.each([&](int thread) {
      const BlockShare share(grid, block, thread);
      double sum = 0;      // of the gradient of x_hat
      double product = 0;  // of it times x_hat
      share.each([&](std::int64_t at, std::int64_t column, int slot) {
        const std::int64_t index = share.first_index + (slot - share.team_begin);
        const T own = scaled(at, column);
        sum += static_cast<double>(own);
        product += static_cast<double>(own * ((input[at] - mean[index]) * inverse_deviation[index]));
      });
      shared.values[thread] = sum;
      shared.products[thread] = product;
    });
    add_groups(grid, block, shared.values, [&](const BlockShare&, int slot, double sum) {
      shared.averages[slot] = static_cast<T>(sum / count);
    });
    add_groups(grid, block, shared.products, [&](const BlockShare& share, int slot, double product) {
      shared.slopes[slot] =
          static_cast<T>(product / count) * inverse_deviation[share.first_index + share.lane];
    });
    block.each([&](int thread) {
      const BlockShare share(grid, block, thread);
      share.each([&](std::int64_t at, std::int64_t column, int slot) {
        const std::int64_t index = share.first_index + (slot - share.team_begin);
        input_gradient[at] = inverse_deviation[index] * (scaled(at, column) - shared.averages[slot] -
                                                         (input[at] - mean[index]) * shared.slopes[slot]);
      });
    });
  }

 private:
  RAVINE_HOST_DEVICE T scaled(std::int64_t at, std::int64_t column) const {
    return scale == nullptr ? output_gradient[at] : output_gradient[at] * scale[column];
  }
};

// Over all rows of all outer indices: g x_hat, and g.
template <typename T>
struct BlockGradientValues : AddsPairs {
  BlockExtents extents;
  Cells<T> input;
  Cells<T> output_gradient;
  const T* mean;
  const T* inverse_deviation;
  bool packed;

  // The group of each column.
  struct Own {
    std::int32_t groups[Pack<T>::count];
  };
  RAVINE_HOST_DEVICE Own own(std::int64_t, std::int64_t column, int) const {
    Own own;
    for (int k = 0; k < Pack<T>::count; ++k) {
      const std::int64_t group = (column + k) / extents.columns;
      own.groups[k] = static_cast<std::int32_t>(group < extents.groups ? group : 0);
    }
    return own;
  }
  RAVINE_HOST_DEVICE void add(const Own& own, std::int64_t row, std::int64_t column, int count, T* products,
                              T* sums) const {
    const std::int64_t first = row * extents.groups * extents.columns + column;
    const std::int64_t index = row / extents.rows * extents.groups;
    const Pack<T> x = load_columns(input, first, count, packed);
    const Pack<T> g = load_columns(output_gradient, first, count, packed);
    for (int k = 0; k < Pack<T>::count; ++k) {
      const std::int64_t group = index + own.groups[k];
      products[k] += g.values[k] * ((x.values[k] - mean[group]) * inverse_deviation[group]);
      sums[k] += g.values[k];
    }
  }
};

template <typename T>
class BlockNormalizationGradientOperation final : public CudaOperation {
 public:
  BlockNormalizationGradientOperation(const BlockNormalizationGradient& o, const Preparation& preparation)
      : CudaOperation(preparation), operation_(o), grid_(o.extents) {
    if (o.scale_gradient == no_tensor && o.centre_gradient == no_tensor) return;
    const ColumnGrid columns(o.extents.outer * o.extents.rows, grid_.width(), Pack<T>::count);
    sums_ = std::make_unique<ColumnSumPairs>(preparation, columns, o.observe_scale, o.observe_centre);
  }

  void run(const RunContext& context) noexcept override {
    const T* const input = at<const T>(operation_.input);
    const T* const mean = at<const T>(operation_.mean);
    const T* const inverse = at<const T>(operation_.inverse_deviation);
    const T* const gradient = at<const T>(operation_.output_gradient);
    if (sums_ != nullptr) {
      const Cells<T> x = cells<T>(operation_.input);
      const Cells<T> g = cells<T>(operation_.output_gradient);
      sums_->template run<T>(
          BlockGradientValues<T>{
              {}, operation_.extents, x, g, mean, inverse, are_packed<T>(grid_.width(), x, g)},
          nullptr, T(0), at<T>(operation_.scale_gradient), at<T>(operation_.centre_gradient), context);
    }
    if (operation_.input_gradient == no_tensor) return;
    for_blocks(stream_, grid_.blocks(),
               NormalizeBlocksGradient<T>{grid_, input, at<const T>(operation_.scale), mean, inverse,
                                          gradient, at<T>(operation_.input_gradient)});
  }

 private:
  BlockNormalizationGradient operation_;
  BlockGrid grid_;
  std::unique_ptr<ColumnSumPairs> sums_;
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const BlockNormalization& o, const Preparation& preparation) {
  return std::make_unique<BlockNormalizationOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_normalization(const BlockNormalizationGradient& o, const Preparation& preparation) {
  return std::make_unique<BlockNormalizationGradientOperation<T>>(o, preparation);
}
template Prepared prepare_normalization<float>(const BlockNormalization&, const Preparation&);
template Prepared prepare_normalization<double>(const BlockNormalization&, const Preparation&);
template Prepared prepare_normalization<float>(const BlockNormalizationGradient&, const Preparation&);
template Prepared prepare_normalization<double>(const BlockNormalizationGradient&, const Preparation&);

}  // namespace ravine::cuda
