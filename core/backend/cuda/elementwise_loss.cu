// The loop over the elementwise losses.
#include "backend/cuda/loss.h"
#include "rules/losses/list.h"

namespace ravine::cuda {
namespace {

template <typename T, typename Rule>
struct ElementwiseRows {
  Rows rows;
  Rule rule;
  RowWeights<T> weights;
  const T* prediction;
  const T* targets;
  const T* output_settings;  // the rule's number for each output; null: all 1
  T* gradient;               // null in evaluation
  RowLoss* losses;

  struct Shared {
    T sums[block_threads];
    std::int32_t wrong[block_threads];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      T sum = 0;
      std::int32_t wrong = 0;
      for (std::int64_t i = rows.lane(thread); row < rows.rows && i < rows.columns; i += rows.lanes) {
        const std::int64_t at = row * rows.columns + i;
        sum += value(at, i);
        if constexpr (requires { &Rule::right; }) wrong += rule.right(prediction[at], targets[at]) ? 0 : 1;
        if (gradient != nullptr) gradient[at] = scale(row) * derivative(at, i);
      }
      shared.sums[thread] = sum;
      shared.wrong[thread] = wrong;
    });
    reduce(block, shared.sums, rows.lanes, Sum{});
    reduce(block, shared.wrong, rows.lanes, Sum{});
    block.each([&](int thread) {
      const std::int64_t row = rows.row(block, thread);
      if (row >= rows.rows || rows.lane(thread) > 0) return;
      const double mean = static_cast<double>(shared.sums[thread]) / static_cast<double>(rows.columns);
      const bool right = requires { &Rule::right; } && shared.wrong[thread] == 0;
      losses[row] = {weight(row) * mean, right ? 1 : 0, 0};
    });
  }

 private:
  RAVINE_HOST_DEVICE double weight(std::int64_t row) const {
    return weights.samples == nullptr ? 1.0 : static_cast<double>(weights.samples[row]);
  }
  RAVINE_HOST_DEVICE T scale(std::int64_t row) const {
    return static_cast<T>(weights.share(weight(row))) / static_cast<T>(rows.columns);
  }
  RAVINE_HOST_DEVICE T setting(std::int64_t column) const {
    return output_settings == nullptr ? T(1) : output_settings[column];
  }
  RAVINE_HOST_DEVICE T value(std::int64_t at, [[maybe_unused]] std::int64_t column) const {
    if constexpr (requires { Rule::output_setting; }) {
      return rule.forward(prediction[at], targets[at], setting(column));
    } else {
      return rule.forward(prediction[at], targets[at]);
    }
  }
  RAVINE_HOST_DEVICE T derivative(std::int64_t at, [[maybe_unused]] std::int64_t column) const {
    if constexpr (requires { Rule::output_setting; }) {
      return rule.derivative(prediction[at], targets[at], setting(column));
    } else {
      return rule.derivative(prediction[at], targets[at]);
    }
  }
};

template <typename T, typename Rule>
class ElementwiseLossOperation final : public LossOperation<T> {
 public:
  ElementwiseLossOperation(const Rule& rule, const ElementwiseLoss& o, const Preparation& preparation)
      : LossOperation<T>(preparation, o.prediction, o.weights, {}), rule_(rule), operation_(o) {
    if (o.output_settings.empty()) return;
    output_settings_ =
        array_of(preparation.stream, std::vector<T>(o.output_settings.begin(), o.output_settings.end()));
  }

 private:
  void run_rows(const RowWeights<T>& weights, RowLoss* losses) noexcept override {
    for_blocks(this->stream_, this->rows_.blocks(),
               ElementwiseRows<T, Rule>{
                   this->rows_, rule_, weights, this->template at<const T>(operation_.prediction),
                   this->template at<const T>(operation_.targets), output_settings_.data(),
                   this->template at<T>(operation_.gradient), losses});
  }

  Rule rule_;
  ElementwiseLoss operation_;
  Array<T> output_settings_;
};

}  // namespace

template <typename T>
Prepared prepare_loss(const ElementwiseLoss& o, const Preparation& preparation) {
  Prepared prepared;
  with_rule<ElementwiseLossRules, T>(
      o.rule.name,
      [&]<typename Rule>(const Rule& rule) {
        prepared = std::make_unique<ElementwiseLossOperation<T, Rule>>(rule, o, preparation);
      },
      o.rule.values);
  return prepared;
}
template Prepared prepare_loss<float>(const ElementwiseLoss&, const Preparation&);
template Prepared prepare_loss<double>(const ElementwiseLoss&, const Preparation&);

}  // namespace ravine::cuda
