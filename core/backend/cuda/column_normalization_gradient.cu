// The way back through the normalization of columns: sums over rows, and the gradient of the input.
#include "backend/cuda/column_sums.h"
#include "rules/elementary.h"

namespace ravine::cuda {
namespace {

// g (x - mean), and g.
template <typename T>
struct GradientValues : AddsPairs {
  Cells<T> input;
  Cells<T> output_gradient;
  const T* mean;
  std::int64_t columns;
  bool packed;

  RAVINE_HOST_DEVICE Pack<T> own(std::int64_t, std::int64_t column, int count) const {
    return load_columns(mean, column, count, T(0));
  }
  RAVINE_HOST_DEVICE void add(const Pack<T>& means, std::int64_t row, std::int64_t column, int count,
                              T* products, T* sums) const {
    const std::int64_t first = row * columns + column;
    const Pack<T> x = load_columns(input, first, count, packed);
    const Pack<T> g = load_columns(output_gradient, first, count, packed);
    for (int k = 0; k < Pack<T>::count; ++k) {
      products[k] += g.values[k] * (x.values[k] - means.values[k]);
      sums[k] += g.values[k];
    }
  }
};

template <typename T>
class ColumnNormalizationSumsOperation final : public CudaOperation {
 public:
  ColumnNormalizationSumsOperation(const ColumnNormalizationSums& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        columns_(preparation.columns(o.input)),
        sums_(preparation, {preparation.rows(o.input), columns_, Pack<T>::count}, o.observe_scale,
              o.observe_centre) {}

  void run(const RunContext& context) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const Cells<T> gradient = cells<T>(operation_.output_gradient);
    const GradientValues<T> values{{},       input,
                                   gradient, at<const T>(operation_.mean),
                                   columns_, are_packed<T>(columns_, input, gradient)};
    sums_.template run<T>(values, at<const T>(operation_.variance), static_cast<T>(operation_.epsilon),
                          at<T>(operation_.scale_gradient), at<T>(operation_.centre_gradient), context);
  }

 private:
  ColumnNormalizationSums operation_;
  std::int64_t columns_;
  ColumnSumPairs sums_;
};

// The gradients may be the same memory: each thread has read what it writes.
template <typename T>
struct NormalizeColumnsGradient {
  ColumnGrid grid;
  Cells<T> input;
  Cells<T> output_gradient;
  Cells<T> input_gradient;
  const T* mean;
  const T* variance;
  const T* scale;  // may be absent
  const T* scale_sums;
  const T* centre_sums;
  const T* count;  // of rows; absent: those of the grid
  T epsilon;
  bool packed;

  struct Shared {};

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared&) const {
    block.each([&](int thread) {
      const std::int64_t column = grid.column(block, thread);
      const int columns = grid.count(column);
      if (columns == 0) return;
      const T rows = count == nullptr ? static_cast<T>(grid.rows) : *count;
      const Pack<T> means = load_columns(mean, column, columns, T(0));
      Pack<T> factors = load_columns(variance, column, columns, T(0));      // of all
      Pack<T> slopes = load_columns(scale_sums, column, columns, T(0));     // of x - mean
      Pack<T> averages = load_columns(centre_sums, column, columns, T(0));  // of g
      const Pack<T> scales = load_columns(scale, column, columns, T(1));
      for (int k = 0; k < Pack<T>::count; ++k) {
        const T inverse = T(1) / square_root(factors.values[k] + epsilon);
        factors.values[k] = inverse * scales.values[k];
        slopes.values[k] = inverse * slopes.values[k] / rows;
        averages.values[k] = averages.values[k] / rows;
      }
      const std::int64_t end = grid.end(block);
      for (std::int64_t row = grid.row(block, thread); row < end; row += grid.row_lanes()) {
        const std::int64_t first = row * grid.columns + column;
        const Pack<T> x = load_columns(input, first, columns, packed);
        Pack<T> g = load_columns(output_gradient, first, columns, packed);
        for (int k = 0; k < Pack<T>::count; ++k) {
          g.values[k] = factors.values[k] * (g.values[k] - averages.values[k] -
                                             (x.values[k] - means.values[k]) * slopes.values[k]);
        }
        store_columns(input_gradient, first, columns, packed, g);
      }
    });
  }
};

template <typename T>
class ColumnNormalizationGradientOperation final : public CudaOperation {
 public:
  ColumnNormalizationGradientOperation(const ColumnNormalizationGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        grid_(preparation.rows(o.input), preparation.columns(o.input), Pack<T>::count) {}

  void run(const RunContext&) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const Cells<T> output_gradient = cells<T>(operation_.output_gradient);
    const Cells<T> input_gradient = cells<T>(operation_.input_gradient);
    for_blocks(stream_, grid_.blocks(),
               NormalizeColumnsGradient<T>{
                   grid_, input, output_gradient, input_gradient, at<const T>(operation_.mean),
                   at<const T>(operation_.variance), at<const T>(operation_.scale),
                   at<const T>(operation_.scale_gradient), at<const T>(operation_.centre_gradient),
                   at<const T>(operation_.count), static_cast<T>(operation_.epsilon),
                   are_packed<T>(grid_.columns, input, output_gradient, input_gradient)});
  }

 private:
  ColumnNormalizationGradient operation_;
  ColumnGrid grid_;
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const ColumnNormalizationSums& o, const Preparation& preparation) {
  return std::make_unique<ColumnNormalizationSumsOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_normalization(const ColumnNormalizationGradient& o, const Preparation& preparation) {
  return std::make_unique<ColumnNormalizationGradientOperation<T>>(o, preparation);
}
template Prepared prepare_normalization<float>(const ColumnNormalizationSums&, const Preparation&);
template Prepared prepare_normalization<double>(const ColumnNormalizationSums&, const Preparation&);
template Prepared prepare_normalization<float>(const ColumnNormalizationGradient&, const Preparation&);
template Prepared prepare_normalization<double>(const ColumnNormalizationGradient&, const Preparation&);

}  // namespace ravine::cuda
