// The losses. Where rows have weights, every tile sums those of the whole batch: the gradient of a weighted
// mean needs the sum, and no tile waits for another.
#include "backend/cpu/loop_operation.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {
namespace {

// What losses share: how rows are cut and weighed, and how sums are collected.
template <typename T>
class LossOperation : public LoopOperation<T> {
 public:
  LossOperation(const Program& program, const PointerTable& pointers, TensorId prediction, TensorId weights,
                const std::vector<double>& class_weights, std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(prediction).shape.elements() / program.batch(), samples),
        columns_(program.tensor(prediction).shape.elements() / program.batch()),
        batch_(program.batch()),
        weights_(weights),
        class_weights_(class_weights.begin(), class_weights.end()),
        total_(static_cast<double>(batch_)),
        partials_(static_cast<std::size_t>(this->tiles())) {
    for (T weight : class_weights_) class_sum_ += static_cast<double>(weight);
  }

  void collect(Measurements& measurements) const noexcept override {
    measurements.weight = total_;
    measurements.loss = 0;
    measurements.correct = 0;
    measurements.correct_top5 = 0;
    for (const PartialLoss& partial : partials_) {
      measurements.loss += partial.loss;
      measurements.correct += partial.correct;
      measurements.correct_top5 += partial.correct_top5;
    }
    if (measurements.weight == 0) measurements.loss *= 0;  // a smoothed target may weigh without its label
  }
  double weight_of_rows() const noexcept override {
    return weighs() ? sum_of_weights() : static_cast<double>(batch_);
  }

 protected:
  virtual RowClasses<T> classes() const { return {nullptr}; }  // of all rows, where classes have weights

  T* row_of(TensorId id, std::int64_t row) const {
    return id == no_tensor ? nullptr : this->at(id) + row * columns_;
  }
  // Computes the rows of a tile by kernel(first row, rows, their weights); one after the other where the loss
  // of each is asked for.
  template <typename Kernel>
  void run_rows(int tile, const RunContext& context, const Kernel& kernel) noexcept {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t length = this->cut_.length(tile);
    RowWeights<T> weights = weights_of(tile, context);
    PartialLoss& sum = partials_[static_cast<std::size_t>(tile)];
    if (context.row_losses == nullptr) {
      sum = kernel(begin, length, weights);
      return;
    }
    sum = {};
    for (std::int64_t row = begin; row < begin + length; ++row) {
      const PartialLoss one = kernel(row, std::int64_t{1}, weights);
      context.row_losses[row] = one.loss;
      sum.loss += one.loss;
      sum.correct += one.correct;
      sum.correct_top5 += one.correct_top5;
      if (weights.samples != nullptr) ++weights.samples;
    }
  }

  std::int64_t columns_;

 private:
  // Of the rows of a tile.
  RowWeights<T> weights_of(int tile, const RunContext& context) noexcept {
    const T* samples = sample_weights();
    const bool given = context.batch_weight > 0;
    const double own = given && tile > 0 ? 0 : weight_of_rows();
    if (tile == 0) total_ = own;
    return {samples == nullptr ? nullptr : samples + this->cut_.begin(tile),
            class_weights_.empty() ? nullptr : class_weights_.data(), class_sum_,
            given ? context.batch_weight : own};
  }

  const T* sample_weights() const { return this->at(weights_); }
  bool weighs() const { return sample_weights() != nullptr || !class_weights_.empty(); }

  double sum_of_weights() const {
    const T* samples = sample_weights();
    const RowClasses<T> classes = class_weights_.empty() ? RowClasses<T>{nullptr} : this->classes();
    double sum = 0;
    for (std::int64_t row = 0; row < batch_; ++row) {
      const double weight = samples == nullptr ? 1.0 : static_cast<double>(samples[row]);
      sum += classes.labels == nullptr ? weight : weight * class_weight(classes, row);
    }
    return sum;
  }

  double class_weight(const RowClasses<T>& classes, std::int64_t row) const {
    const auto of = [this](std::int32_t label) {
      return static_cast<double>(class_weights_[static_cast<std::size_t>(label)]);
    };
    if (classes.shares == nullptr) return of(classes.labels[row]);
    const auto share = static_cast<double>(classes.shares[row]);
    return share * of(classes.labels[row]) + (1 - share) * of(classes.second_labels[row]);
  }

  std::int64_t batch_;
  TensorId weights_;
  std::vector<T> class_weights_;
  double class_sum_ = 0;
  double total_;  // as the first tile found it
  std::vector<PartialLoss> partials_;
};

template <typename T>
class SoftmaxCrossEntropyOperation final : public LossOperation<T> {
 public:
  SoftmaxCrossEntropyOperation(const SoftmaxCrossEntropy& o, const Program& program,
                               const PointerTable& pointers, std::int64_t samples)
      : LossOperation<T>(program, pointers, o.logits, o.weights, o.class_weights, samples), operation_(o) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const auto smoothing = static_cast<T>(operation_.label_smoothing);
    this->run_rows(tile, context, [&](std::int64_t row, std::int64_t rows, const RowWeights<T>& weights) {
      return kernels<T>().softmax_cross_entropy(
          {this->row_of(operation_.logits, row), rows, this->columns_, this->columns_}, classes_from(row),
          smoothing, weights, this->row_of(operation_.gradient, row));
    });
  }

 private:
  RowClasses<T> classes() const override { return classes_from(0); }

  RowClasses<T> classes_from(std::int64_t row) const {
    const std::int32_t* labels = this->template at<const std::int32_t>(operation_.labels);
    const T* shares = this->at(operation_.shares);
    if (shares == nullptr) return {labels + row};
    return {labels + row, this->template at<const std::int32_t>(operation_.second_labels) + row,
            shares + row};
  }

  SoftmaxCrossEntropy operation_;
};

template <typename T>
class ElementwiseLossOperation final : public LossOperation<T> {
 public:
  ElementwiseLossOperation(const ElementwiseLoss& o, const Program& program, const PointerTable& pointers,
                           std::int64_t samples)
      : LossOperation<T>(program, pointers, o.prediction, o.weights, {}, samples),
        operation_(o),
        rule_(make_rule<ElementwiseLossRules, T>(o.rule.name, o.rule.values)),
        output_settings_(o.output_settings.begin(), o.output_settings.end()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const T* settings = output_settings_.empty() ? nullptr : output_settings_.data();
    this->run_rows(tile, context, [&](std::int64_t row, std::int64_t rows, const RowWeights<T>& weights) {
      return kernels<T>().elementwise_loss[rule_.index](
          rule_.get(), {this->row_of(operation_.prediction, row), rows, this->columns_, this->columns_},
          this->row_of(operation_.targets, row), settings, weights, this->row_of(operation_.gradient, row));
    });
  }

 private:
  ElementwiseLoss operation_;
  RuleObject rule_;
  std::vector<T> output_settings_;
};

}  // namespace

template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_loss(const Given& o, const Program& program,
                                           const PointerTable& pointers, std::int64_t samples) {
  if constexpr (std::is_same_v<Given, SoftmaxCrossEntropy>) {
    return std::make_unique<SoftmaxCrossEntropyOperation<T>>(o, program, pointers, samples);
  } else {
    return std::make_unique<ElementwiseLossOperation<T>>(o, program, pointers, samples);
  }
}

template std::unique_ptr<CpuOperation> prepare_loss<float>(const SoftmaxCrossEntropy&, const Program&,
                                                           const PointerTable&, std::int64_t);
template std::unique_ptr<CpuOperation> prepare_loss<double>(const SoftmaxCrossEntropy&, const Program&,
                                                            const PointerTable&, std::int64_t);
template std::unique_ptr<CpuOperation> prepare_loss<float>(const ElementwiseLoss&, const Program&,
                                                           const PointerTable&, std::int64_t);
template std::unique_ptr<CpuOperation> prepare_loss<double>(const ElementwiseLoss&, const Program&,
                                                            const PointerTable&, std::int64_t);

}  // namespace ravine::cpu
