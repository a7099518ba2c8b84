#include "backend/cuda/loss.h"

namespace ravine::cuda {
namespace {

// The weight of all rows; one block.
template <typename T>
struct TotalWeight {
  std::int64_t rows;
  RowWeights<T> weights;
  RowClasses<T> classes;
  const DeviceContext* context;  // may be null
  double* total;                 // of these rows; then what gradients are divided by

  struct Shared {
    double sums[block_threads];
  };

  RAVINE_HOST_DEVICE double of_class(std::int32_t label) const {
    return static_cast<double>(weights.classes[label]);
  }
  RAVINE_HOST_DEVICE double weight(std::int64_t row) const {
    const double own = weights.samples == nullptr ? 1.0 : static_cast<double>(weights.samples[row]);
    if (weights.classes == nullptr) return own;
    if (classes.shares == nullptr) return own * of_class(classes.labels[row]);
    const auto share = static_cast<double>(classes.shares[row]);
    return own * (share * of_class(classes.labels[row]) + (1 - share) * of_class(classes.second_labels[row]));
  }
  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      double sum = 0;
      for (std::int64_t row = thread; row < rows; row += block_threads) sum += weight(row);
      shared.sums[thread] = sum;
    });
    reduce(block, shared.sums, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread > 0) return;
      total[0] = shared.sums[0];
      const double given = context == nullptr ? 0 : context->batch_weight;
      total[1] = given > 0 ? given : shared.sums[0];
    });
  }
};

// The losses of all rows; one block.
struct TotalLoss {
  std::int64_t rows;
  const RowLoss* losses;
  const double* total;
  double* result;      // loss, weight, right answers, among five
  double* row_losses;  // null where they are not asked for

  struct Shared {
    double losses[block_threads];
    double correct[block_threads];
    double correct_top5[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      double loss = 0;
      std::int64_t correct = 0;
      std::int64_t correct_top5 = 0;
      for (std::int64_t row = thread; row < rows; row += block_threads) {
        loss += losses[row].loss;
        correct += losses[row].correct;
        correct_top5 += losses[row].correct_top5;
        if (row_losses != nullptr) row_losses[row] = losses[row].loss;
      }
      shared.losses[thread] = loss;
      shared.correct[thread] = static_cast<double>(correct);
      shared.correct_top5[thread] = static_cast<double>(correct_top5);
    });
    reduce(block, shared.losses, block_threads, Sum{});
    reduce(block, shared.correct, block_threads, Sum{});
    reduce(block, shared.correct_top5, block_threads, Sum{});
    block.each([&](int thread) {
      if (thread > 0) return;
      // A smoothed target may weigh without its label.
      result[0] = *total == 0 ? shared.losses[0] * 0 : shared.losses[0];
      result[1] = *total;
      result[2] = shared.correct[0];
      result[3] = shared.correct_top5[0];
    });
  }
};

}  // namespace

template <typename T>
LossOperation<T>::LossOperation(const Preparation& preparation, TensorId prediction, TensorId weights,
                                const std::vector<double>& class_weights)
    : CudaOperation(preparation),
      rows_(preparation.program.batch(), preparation.elements(prediction) / preparation.program.batch()),
      weights_(weights),
      measured_(preparation.measured.loss()),
      total_(preparation.stream, 2),
      losses_(preparation.stream, static_cast<std::size_t>(rows_.rows)),
      row_losses_(preparation.stream, static_cast<std::size_t>(rows_.rows)) {
  if (class_weights.empty()) return;
  const std::vector<T> values(class_weights.begin(), class_weights.end());
  for (T value : values) class_sum_ += static_cast<double>(value);
  class_weights_ = array_of(preparation.stream, values);
}

template <typename T>
void LossOperation<T>::run(const RunContext& context) noexcept {
  const RowWeights<T> weights = weigh(device_context_);
  run_rows(weights, losses_.data());
  double* each = context.row_losses == nullptr ? nullptr : row_losses_.data();
  for_blocks(stream_, 1, TotalLoss{rows_.rows, losses_.data(), total_.data(), measured_, each});
  if (each != nullptr) stream_.download(context.row_losses, each, row_losses_.bytes());
}

template <typename T>
RowWeights<T> LossOperation<T>::weigh(const DeviceContext* context) noexcept {
  const RowWeights<T> weights{at<const T>(weights_), class_weights_.data(), total_.data() + 1};
  for_blocks(stream_, 1, TotalWeight<T>{rows_.rows, weights, classes(), context, total_.data()});
  return weights;
}

template <typename T>
double LossOperation<T>::weight_of_rows() noexcept {
  weigh(nullptr);
  double weight = 0;
  stream_.download(&weight, total_.data(), sizeof(weight));
  stream_.synchronize();
  return weight;
}

template class LossOperation<float>;
template class LossOperation<double>;

}  // namespace ravine::cuda
