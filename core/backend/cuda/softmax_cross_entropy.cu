// Loss of a row: log sum exp(z) - z[label], with the largest z taken out; gradient: softmax - one hot. Label
// smoothing, weights of classes and mixed labels as in backend/program.h, in the arithmetic of the CPU.
#include <cmath>

#include "backend/cuda/loss.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct CrossEntropyRows {
  Rows rows;
  RowClasses<T> targets;
  RowWeights<T> weights;
  double class_sum;
  T smoothing;
  const T* logits;
  T* gradient;  // null in evaluation
  RowLoss* losses;

  struct Shared {
    T largest[block_threads];
    T sums[block_threads];              // of exponentials
    T below[block_threads];             // of how far outputs are below that of the label
    std::int32_t above[block_threads];  // outputs above the wanted one
  };

  // Of a row's target.
  struct Target {
    std::int32_t label;
    std::int32_t second;
    T hit;
    T second_hit;
    T mass;
    std::int32_t wanted;  // which answer is right
  };

  RAVINE_HOST_DEVICE Target target_of(std::int64_t row) const {
    Target target{};
    target.label = targets.labels[row];
    const bool mixed = targets.shares != nullptr;
    target.second = mixed ? targets.second_labels[row] : target.label;
    const T share = mixed ? targets.shares[row] : T(1);
    target.wanted = share < T(0.5) ? target.second : target.label;
    target.hit = (T(1) - smoothing) * share;
    target.second_hit = (T(1) - smoothing) * (T(1) - share);
    target.mass = 1;
    if (weights.classes == nullptr) return target;
    target.hit *= weights.classes[target.label];
    target.second_hit *= weights.classes[target.second];
    target.mass =
        target.hit + target.second_hit + smoothing / static_cast<T>(rows.columns) * static_cast<T>(class_sum);
    return target;
  }

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    find_largest(block, rows, logits, shared.largest);
    block.each([&](int thread) { compare(block, thread, shared); });
    reduce(block, shared.sums, rows.lanes, Sum{});
    reduce(block, shared.below, rows.lanes, Sum{});
    reduce(block, shared.above, rows.lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      if (row >= rows.rows) return;
      if (rows.lane(thread) == 0) losses[row] = loss_of(row, thread, shared);
      if (gradient != nullptr) differentiate(row, thread, shared);
    });
  }

 private:
  // The exponentials, and how outputs compare with those that the target names.
  RAVINE_HOST_DEVICE void compare(const Block& block, int thread, Shared& shared) const {
    const std::int64_t row = rows.row(block, thread);
    shared.sums[thread] = 0;
    shared.below[thread] = 0;
    shared.above[thread] = 0;
    if (row >= rows.rows) return;
    const T* z = logits + row * rows.columns;
    const Target target = target_of(row);
    const T largest = shared.largest[rows.first(thread)];
    for (std::int64_t i = rows.lane(thread); i < rows.columns; i += rows.lanes) {
      const T value = exponential(z[i] - largest);
      if (gradient != nullptr) gradient[row * rows.columns + i] = value;
      shared.sums[thread] += value;
      const T short_of = z[target.label] - z[i];
      shared.below[thread] += weights.classes == nullptr ? short_of : weights.classes[i] * short_of;
      // Of equal outputs the first counts as the larger one, as in argmax.
      const T wanted = z[target.wanted];
      shared.above[thread] += z[i] > wanted || (z[i] == wanted && i < target.wanted) ? 1 : 0;
    }
  }

  RAVINE_HOST_DEVICE double weight_of(std::int64_t row) const {
    return weights.samples == nullptr ? 1.0 : static_cast<double>(weights.samples[row]);
  }

  RAVINE_HOST_DEVICE RowLoss loss_of(std::int64_t row, int thread, const Shared& shared) const {
    using std::log;
    const T* z = logits + row * rows.columns;
    const Target target = target_of(row);
    const T own = z[target.label];
    double loss =
        log(static_cast<double>(shared.sums[thread])) + static_cast<double>(shared.largest[thread] - own);
    loss *= static_cast<double>(target.mass);
    if (targets.shares != nullptr) loss += static_cast<double>(target.second_hit * (own - z[target.second]));
    if (smoothing > T(0)) {
      loss += static_cast<double>(smoothing * (shared.below[thread] / static_cast<T>(rows.columns)));
    }
    const bool is_number = own == own;
    const std::int32_t above = shared.above[thread];
    return {weight_of(row) * loss, above == 0 && is_number ? 1 : 0, above < 5 && is_number ? 1 : 0};
  }

  RAVINE_HOST_DEVICE void differentiate(std::int64_t row, int thread, const Shared& shared) const {
    const Target target = target_of(row);
    const T scale = static_cast<T>(weights.share(weight_of(row)));
    const T factor = scale * target.mass / shared.sums[rows.first(thread)];
    const T spread = smoothing > T(0) ? scale * (smoothing / static_cast<T>(rows.columns)) : T(0);
    for (std::int64_t i = rows.lane(thread); i < rows.columns; i += rows.lanes) {
      T g = gradient[row * rows.columns + i] * factor;
      g -= weights.classes == nullptr ? spread : spread * weights.classes[i];
      if (i == target.label) g -= scale * target.hit;
      if (i == target.second && targets.shares != nullptr) g -= scale * target.second_hit;
      gradient[row * rows.columns + i] = g;
    }
  }
};

template <typename T>
class SoftmaxCrossEntropyOperation final : public LossOperation<T> {
 public:
  SoftmaxCrossEntropyOperation(const SoftmaxCrossEntropy& o, const Preparation& preparation)
      : LossOperation<T>(preparation, o.logits, o.weights, o.class_weights), operation_(o) {}

 private:
  void run_rows(const RowWeights<T>& weights, RowLoss* losses) noexcept override {
    for_blocks(this->stream_, this->rows_.blocks(),
               CrossEntropyRows<T>{this->rows_, classes(), weights, this->class_sum_,
                                   static_cast<T>(operation_.label_smoothing),
                                   this->template at<const T>(operation_.logits),
                                   this->template at<T>(operation_.gradient), losses});
  }
  RowClasses<T> classes() const override {
    const T* shares = this->template at<const T>(operation_.shares);
    return {this->template at<const std::int32_t>(operation_.labels),
            shares == nullptr ? nullptr : this->template at<const std::int32_t>(operation_.second_labels),
            shares};
  }

  SoftmaxCrossEntropy operation_;
};

}  // namespace

template <typename T>
Prepared prepare_loss(const SoftmaxCrossEntropy& o, const Preparation& preparation) {
  return std::make_unique<SoftmaxCrossEntropyOperation<T>>(o, preparation);
}
template Prepared prepare_loss<float>(const SoftmaxCrossEntropy&, const Preparation&);
template Prepared prepare_loss<double>(const SoftmaxCrossEntropy&, const Preparation&);

}  // namespace ravine::cuda
