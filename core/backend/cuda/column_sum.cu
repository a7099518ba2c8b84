// Sums over rows.
#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

constexpr int columns_of_block = 32;
constexpr int rows_at_once = block_threads / columns_of_block;

template <typename T>
struct ColumnSums {
  const T* input;
  T* output;
  std::int64_t rows;
  std::int64_t columns;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const std::int64_t column = block.index * columns_of_block + thread % columns_of_block;
      double sum = 0;
      for (std::int64_t row = thread / columns_of_block; column < columns && row < rows;
           row += rows_at_once) {
        sum += static_cast<double>(input[row * columns + column]);
      }
      shared.sums[thread] = sum;
    });
    for (int half = rows_at_once / 2; half > 0; half /= 2) {
      block.each([&](int thread) {
        if (thread / columns_of_block < half)
          shared.sums[thread] += shared.sums[thread + half * columns_of_block];
      });
    }
    block.each([&](int thread) {
      const std::int64_t column = block.index * columns_of_block + thread;
      if (thread < columns_of_block && column < columns) output[column] = static_cast<T>(shared.sums[thread]);
    });
  }
};

template <typename T>
class ColumnSumOperation final : public CudaOperation {
 public:
  ColumnSumOperation(const ColumnSum& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rows_(preparation.rows(o.input)),
        columns_(preparation.columns(o.input)),
        observer_(preparation, o.observe, columns_) {}

  void run(const RunContext& context) noexcept override {
    T* output = at<T>(operation_.output);
    for_blocks(stream_, (columns_ + columns_of_block - 1) / columns_of_block,
               ColumnSums<T>{at<const T>(operation_.input), output, rows_, columns_});
    observer_.see<T>(output, context);
  }

 private:
  ColumnSum operation_;
  std::int64_t rows_;
  std::int64_t columns_;
  Observer observer_;
};

}  // namespace

template <typename T>
Prepared prepare_column_sum(const ColumnSum& o, const Preparation& preparation) {
  return std::make_unique<ColumnSumOperation<T>>(o, preparation);
}
template Prepared prepare_column_sum<float>(const ColumnSum&, const Preparation&);
template Prepared prepare_column_sum<double>(const ColumnSum&, const Preparation&);

}  // namespace ravine::cuda
