// Rows to probabilities, and back.
#include "backend/cuda/measure.h"
#include "backend/cuda/rows.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct SoftmaxRows {
  Rows rows;
  const T* input;
  T* output;

  struct Shared {
    T largest[block_threads];
    T sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    find_largest(block, rows, input, shared.largest);
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      T sum = 0;
      for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
        const std::int64_t at = row * rows.columns + i;
        output[at] = exponential(input[at] - shared.largest[rows.first(thread)]);
        sum += output[at];
      }
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, rows.lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      const T scale = T(1) / shared.sums[rows.first(thread)];
      for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
        output[row * rows.columns + i] *= scale;
      }
    });
  }
};

template <typename T>
struct SoftmaxGradientRows {
  Rows rows;
  const T* output;
  const T* output_gradient;
  T* input_gradient;

  struct Shared {
    T sums[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      T sum = 0;
      for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
        sum += output[row * rows.columns + i] * output_gradient[row * rows.columns + i];
      }
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, rows.lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      const T sum = shared.sums[rows.first(thread)];
      for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
        const std::int64_t at = row * rows.columns + i;
        input_gradient[at] = output[at] * (output_gradient[at] - sum);
      }
    });
  }
};

template <typename T>
class SoftmaxOperation final : public CudaOperation {
 public:
  SoftmaxOperation(const Softmax& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rows_(preparation.rows(o.input), preparation.columns(o.input)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}
  void run(const RunContext& context) noexcept override {
    T* output = at<T>(operation_.output);
    for_blocks(stream_, rows_.blocks(), SoftmaxRows<T>{rows_, at<const T>(operation_.input), output});
    observer_.see<T>(output, context);
  }

 private:
  Softmax operation_;
  Rows rows_;
  Observer observer_;
};

template <typename T>
class SoftmaxGradientOperation final : public CudaOperation {
 public:
  SoftmaxGradientOperation(const SoftmaxGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rows_(preparation.rows(o.output), preparation.columns(o.output)) {}
  void run(const RunContext&) noexcept override {
    for_blocks(
        stream_, rows_.blocks(),
        SoftmaxGradientRows<T>{rows_, at<const T>(operation_.output), at<const T>(operation_.output_gradient),
                               at<T>(operation_.input_gradient)});
  }

 private:
  SoftmaxGradient operation_;
  Rows rows_;
};

}  // namespace

template <typename T>
Prepared prepare_softmax(const Softmax& o, const Preparation& preparation) {
  return std::make_unique<SoftmaxOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_softmax(const SoftmaxGradient& o, const Preparation& preparation) {
  return std::make_unique<SoftmaxGradientOperation<T>>(o, preparation);
}

template Prepared prepare_softmax<float>(const Softmax&, const Preparation&);
template Prepared prepare_softmax<double>(const Softmax&, const Preparation&);
template Prepared prepare_softmax<float>(const SoftmaxGradient&, const Preparation&);
template Prepared prepare_softmax<double>(const SoftmaxGradient&, const Preparation&);

}  // namespace ravine::cuda
