// Sums over rows.
#include <algorithm>

#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

constexpr int columns_of_block = 32;
constexpr int rows_at_once = block_threads / columns_of_block;

// Of some rows, and where there are others, the sums of those; a block takes 32 columns.
template <typename T, typename From, typename To>
struct ColumnSums {
  From input;
  To output;
  std::int64_t rows;
  std::int64_t rows_of_part;
  std::int64_t columns;
  std::int64_t column_blocks;

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t part = block.index / column_blocks;
    const std::int64_t first_column = (block.index - part * column_blocks) * columns_of_block;
    const std::int64_t begin = part * rows_of_part;
    const std::int64_t end = begin + rows_of_part < rows ? begin + rows_of_part : rows;
    block.each([&](int thread) {
      const std::int64_t column = first_column + thread % columns_of_block;
      double sum = 0;
      if (column < columns) {
        for (std::int64_t row = begin + thread / columns_of_block; row < end; row += rows_at_once) {
          sum += static_cast<double>(input.load(row * columns + column));
        }
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
      const std::int64_t column = first_column + thread;
      if (thread < columns_of_block && column < columns) {
        output.store(part * columns + column, static_cast<T>(shared.sums[thread]));
      }
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
        // As many parts as give a device enough to do, and those of enough rows.
        rows_of_part_(std::max(least_rows, (rows_ + most_parts - 1) / most_parts)),
        observer_(preparation, o.observe, columns_) {
    if (parts() > 1) {
      sums_ = Array<double>(preparation.stream, static_cast<std::size_t>(parts() * columns_));
    }
  }

  void run(const RunContext& context) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const Cells<T> output = cells<T>(operation_.output);
    const std::int64_t blocks = (columns_ + columns_of_block - 1) / columns_of_block;
    if (parts() == 1) {
      for_blocks(stream_, blocks,
                 ColumnSums<T, Cells<T>, Cells<T>>{input, output, rows_, rows_, columns_, blocks});
    } else {
      const Cells<double> sums{sums_.data()};
      for_blocks(
          stream_, blocks * parts(),
          ColumnSums<double, Cells<T>, Cells<double>>{input, sums, rows_, rows_of_part_, columns_, blocks});
      for_blocks(stream_, blocks,
                 ColumnSums<T, Cells<double>, Cells<T>>{sums, output, parts(), parts(), columns_, blocks});
    }
    observer_.see(output, context);
  }

 private:
  static constexpr std::int64_t least_rows = 256;
  static constexpr std::int64_t most_parts = 256;
  std::int64_t parts() const { return (rows_ + rows_of_part_ - 1) / rows_of_part_; }

  ColumnSum operation_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t rows_of_part_;
  Array<double> sums_;  // of the parts, where there are several
  Observer observer_;
};

}  // namespace

template <typename T>
Prepared prepare_column_sum(const ColumnSum& o, const Preparation& preparation) {
  // A product computes it; what is measured of it is measured here.
  if (preparation.products->is_taken(preparation.step)) {
    return prepare_observation<T>(o.output, o.observe, preparation);
  }
  return std::make_unique<ColumnSumOperation<T>>(o, preparation);
}
template Prepared prepare_column_sum<float>(const ColumnSum&, const Preparation&);
template Prepared prepare_column_sum<double>(const ColumnSum&, const Preparation&);

}  // namespace ravine::cuda
