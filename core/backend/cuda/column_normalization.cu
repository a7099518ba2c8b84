// Columns by their moments, then perhaps an addition and an activation, in one pass that measures on its way.
#include "backend/cuda/column_grid.h"
#include "backend/cuda/measure.h"
#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

// What one thread sees of values: sums of differences from the first.
template <typename T>
struct Tally {
  T shift = 0;
  T sum = 0;
  T squares = 0;
  std::int32_t zeros = 0;
  std::int32_t count = 0;

  RAVINE_HOST_DEVICE void add(T value) {
    if (count == 0) shift = value;
    const T difference = value - shift;
    sum += difference;
    squares += difference * difference;
    zeros += value == T(0) ? 1 : 0;
    ++count;
  }
  RAVINE_HOST_DEVICE Moments moments() const {
    if (count == 0) return {0, 0, 0, 0};
    const auto n = static_cast<double>(count);
    const auto all = static_cast<double>(sum);
    return {n, static_cast<double>(shift) + all / n, static_cast<double>(squares) - all * (all / n),
            static_cast<double>(zeros)};
  }
};

// Where the moments of the parts of three values go; any may be null.
struct MeasuredParts {
  Moments* normalized;
  Moments* sum;
  Moments* output;

  RAVINE_HOST_DEVICE bool any() const { return normalized != nullptr || sum != nullptr || output != nullptr; }
};

template <typename T, typename Rule>
struct NormalizeColumns {
  ColumnGrid grid;
  Rule rule;
  Cells<T> input;
  Cells<T> add;
  Cells<T> output;
  const T* mean;
  const T* variance;
  const T* scale;
  const T* centre;
  T epsilon;
  bool packed;
  MeasuredParts measured;

  struct Shared {
    Moments normalized[block_threads];
    Moments sum[block_threads];
    Moments output[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      Tally<T> of_normalized, of_sum, of_output;
      const std::int64_t column = grid.column(block, thread);
      const int count = grid.count(column);
      const Pack<T> means = load_columns(mean, column, count, T(0));
      const Pack<T> shifts = load_columns(centre, column, count, T(0));
      Pack<T> factors = load_columns(variance, column, count, T(0));
      const Pack<T> scales = load_columns(scale, column, count, T(1));
      for (int k = 0; k < Pack<T>::count; ++k) {
        factors.values[k] = scales.values[k] * (T(1) / square_root(factors.values[k] + epsilon));
      }
      const std::int64_t end = count > 0 ? grid.end(block) : 0;
      for (std::int64_t row = grid.row(block, thread); row < end; row += grid.row_lanes()) {
        const std::int64_t first = row * grid.columns + column;
        Pack<T> pack = load_columns(input, first, count, packed);
        Pack<T> others{};
        if (add.exists()) others = load_columns(add, first, count, packed);
        for (int k = 0; k < Pack<T>::count; ++k) {
          const T normalized = (pack.values[k] - means.values[k]) * factors.values[k] + shifts.values[k];
          const T sum = add.exists() ? normalized + others.values[k] : normalized;
          pack.values[k] = rule.forward(sum);
          if (!measured.any() || k >= count) continue;
          of_normalized.add(normalized);
          of_sum.add(sum);
          of_output.add(pack.values[k]);
        }
        store_columns(output, first, count, packed, pack);
      }
      if (!measured.any()) return;
      shared.normalized[thread] = of_normalized.moments();
      shared.sum[thread] = of_sum.moments();
      shared.output[thread] = of_output.moments();
    });
    finish(block, shared.normalized, measured.normalized);
    finish(block, shared.sum, measured.sum);
    finish(block, shared.output, measured.output);
  }

 private:
  RAVINE_HOST_DEVICE static void finish(const Block& block, Moments* moments, Moments* parts) {
    if (parts == nullptr) return;
    reduce(block, moments, block_threads, cuda::MergeMoments{});
    block.each([&](int thread) {
      if (thread == 0) parts[block.index] = moments[0];
    });
  }
};

// What is not kept, computed again: the normalized values, and with others added.
template <typename T>
struct NormalizedValues {
  Cells<T> input;
  Cells<T> add;  // may be absent
  const T* mean;
  const T* variance;
  const T* scale;
  const T* centre;
  T epsilon;
  std::int64_t columns;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    const std::int64_t column = column_of(i, columns);
    const T factor =
        (scale == nullptr ? T(1) : scale[column]) * (T(1) / square_root(variance[column] + epsilon));
    const T shift = centre == nullptr ? T(0) : centre[column];
    const T normalized = (input.load(i) - mean[column]) * factor + shift;
    return add.exists() ? normalized + add.load(i) : normalized;
  }
};

template <typename T, typename Rule>
class ColumnNormalizationOperation final : public CudaOperation {
 public:
  ColumnNormalizationOperation(const Rule& rule, const ColumnNormalization& o, const Preparation& preparation)
      : CudaOperation(preparation),
        rule_(rule),
        operation_(o),
        grid_(preparation.rows(o.input), preparation.columns(o.input), Pack<T>::count),
        normalized_(preparation, o.observe_normalized, grid_.blocks()),
        sum_(preparation, o.observe_sum, grid_.blocks()),
        output_(preparation, o.observe, grid_.blocks()) {}

  void run(const RunContext& context) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const Cells<T> add = cells<T>(operation_.add);
    const Cells<T> output = cells<T>(operation_.output);
    const MeasuredParts measured{normalized_.parts(context), sum_.parts(context), output_.parts(context)};
    for_blocks(
        stream_, grid_.blocks(),
        NormalizeColumns<T, Rule>{
            grid_, rule_, input, add, output, at<const T>(operation_.mean), at<const T>(operation_.variance),
            at<const T>(operation_.scale), at<const T>(operation_.centre), static_cast<T>(operation_.epsilon),
            are_packed<T>(grid_.columns, input, output) && (!add.exists() || add.is_aligned()), measured});
    for (const PartsObserver* observer : {&normalized_, &sum_, &output_}) observer->finish(context);
    if (context.outputs != nullptr) count(input, add, output, context);
  }

 private:
  void count(const Cells<T>& input, const Cells<T>& add, const Cells<T>& output,
             const RunContext& context) const noexcept {
    const std::int64_t elements = grid_.rows * grid_.columns;
    const auto values = [&](const Cells<T>& added) {
      return NormalizedValues<T>{input,
                                 added,
                                 this->template at<const T>(operation_.mean),
                                 this->template at<const T>(operation_.variance),
                                 this->template at<const T>(operation_.scale),
                                 this->template at<const T>(operation_.centre),
                                 static_cast<T>(operation_.epsilon),
                                 grid_.columns};
    };
    count_output<T>(this->stream_, operation_.observe_normalized.layer, values({}), elements, context);
    count_output<T>(this->stream_, operation_.observe_sum.layer, values(add), elements, context);
    count_output(this->stream_, operation_.observe.layer, output, elements, context);
  }

  Rule rule_;
  ColumnNormalization operation_;
  ColumnGrid grid_;
  PartsObserver normalized_;
  PartsObserver sum_;
  PartsObserver output_;
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const ColumnNormalization& o, const Preparation& preparation) {
  Prepared prepared;
  const Component rule = o.activation.value_or(Component{"identity", {}});
  with_rule<ActivationRules, T>(
      rule.name,
      [&]<typename Rule>(const Rule& made) {
        prepared = std::make_unique<ColumnNormalizationOperation<T, Rule>>(made, o, preparation);
      },
      rule.values);
  return prepared;
}
template Prepared prepare_normalization<float>(const ColumnNormalization&, const Preparation&);
template Prepared prepare_normalization<double>(const ColumnNormalization&, const Preparation&);

}  // namespace ravine::cuda
