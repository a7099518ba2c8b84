// Mean and biased variance of columns: of each part by sums of differences from the column's first value
// there, so that nothing cancels; the parts by Chan, Golub and LeVeque (1983).
#include "backend/cuda/column_grid.h"
#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct MomentValues {
  Cells<T> input;
  std::int64_t columns;
  bool packed;

  RAVINE_HOST_DEVICE Pack<T> own(std::int64_t row, std::int64_t column, int count) const {
    return load_columns(input, row * columns + column, count, packed);
  }
  RAVINE_HOST_DEVICE void add(const Pack<T>& shift, std::int64_t row, std::int64_t column, int count, T* sums,
                              T* squares) const {
    const Pack<T> x = own(row, column, count);
    for (int k = 0; k < Pack<T>::count; ++k) {
      const T difference = x.values[k] - shift.values[k];
      sums[k] += difference;
      squares[k] += difference * difference;
    }
  }
  // The mean, and the sum of squared deviations from it.
  RAVINE_HOST_DEVICE void finish(const Pack<T>& shift, int k, double rows, double& sum,
                                 double& squares) const {
    const double mean = sum / rows;
    squares -= sum * mean;
    sum = static_cast<double>(shift.values[k]) + mean;
  }
  RAVINE_HOST_DEVICE void merge(double rows, double more, double& mean, double& spread, double other_mean,
                                double other_spread) const {
    const double share = more / (rows + more);
    const double difference = other_mean - mean;
    spread += other_spread + difference * difference * rows * share;
    mean += difference * share;
  }
};

template <typename T>
struct MergeMomentsOfParts {
  ColumnParts all;
  ColumnGrid grid;
  const double* parts;
  T* mean;
  T* variance;

  struct Shared {
    Moments moments[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const std::int64_t column = all.column(block, thread);
      Moments own{0, 0, 0, 0};
      for (std::int64_t part = thread / all.lanes; column < all.columns && part < all.count;
           part += block_threads / all.lanes) {
        const std::int64_t left = grid.rows - part * grid.rows_of_part;
        const auto rows = static_cast<double>(left < grid.rows_of_part ? left : grid.rows_of_part);
        const double* from = parts + part * 2 * all.columns + column;
        own = cuda::MergeMoments{}(own, {rows, from[0], from[all.columns], 0});
      }
      shared.moments[thread] = own;
    });
    reduce_rows(block, shared.moments, all.lanes, cuda::MergeMoments{});
    block.each([&](int thread) {
      const std::int64_t column = all.column(block, thread);
      if (thread >= all.lanes || column >= all.columns) return;
      const Moments& moments = shared.moments[thread];
      mean[column] = static_cast<T>(moments.mean);
      const double spread = moments.spread < 0 ? 0.0 : moments.spread;
      variance[column] = static_cast<T>(spread / moments.count);
    });
  }
};

template <typename T>
class ColumnMomentsOperation final : public CudaOperation {
 public:
  ColumnMomentsOperation(const ColumnMoments& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        grid_(preparation.rows(o.input), preparation.columns(o.input), Pack<T>::count),
        parts_(stream_, static_cast<std::size_t>(2 * grid_.parts() * grid_.columns)) {}

  void run(const RunContext&) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const MomentValues<T> values{input, grid_.columns, are_packed<T>(grid_.columns, input)};
    for_blocks(stream_, grid_.blocks(), SumColumnPairs<T, MomentValues<T>>{grid_, values, parts_.data()});
    const ColumnParts all(grid_);
    for_blocks(stream_, all.blocks(),
               MergeMomentsOfParts<T>{all, grid_, parts_.data(), at<T>(operation_.mean),
                                      at<T>(operation_.variance)});
  }

 private:
  ColumnMoments operation_;
  ColumnGrid grid_;
  Array<double> parts_;
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const ColumnMoments& o, const Preparation& preparation) {
  return std::make_unique<ColumnMomentsOperation<T>>(o, preparation);
}
template Prepared prepare_normalization<float>(const ColumnMoments&, const Preparation&);
template Prepared prepare_normalization<double>(const ColumnMoments&, const Preparation&);

}  // namespace ravine::cuda
