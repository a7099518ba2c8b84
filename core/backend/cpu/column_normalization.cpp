// Batch normalization: moments of columns, and the passes that normalize by them.
#include "backend/cpu/column_statistics.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/summing_operation.h"

namespace ravine::cpu {
namespace {

template <typename T>
class ColumnMomentsOperation final : public SummingOperation<RowOperation<T>> {
 public:
  ColumnMomentsOperation(const ColumnMoments& o, const Program& program, const PointerTable& pointers)
      : SummingOperation<RowOperation<T>>(program.tensor(o.input), pointers, true),
        operation_(o),
        moments_(this->tiles(), this->columns_) {}

  void run(int tile, int, const RunContext&) noexcept override {
    moments_.see(tile, this->block(operation_.input, tile), nullptr);
  }
  void finish() noexcept override {
    moments_.total(this->at(operation_.mean), this->at(operation_.variance));
  }

 private:
  ColumnMoments operation_;
  MomentsOfColumns<T> moments_;
};

// In one pass, which measures what lies in between, too.
template <typename T>
class ColumnNormalizationOperation final : public RowOperation<T> {
 public:
  ColumnNormalizationOperation(const ColumnNormalization& o, const Program& program,
                               const PointerTable& pointers, std::int64_t samples)
      : RowOperation<T>(program.tensor(o.input), pointers, program, samples),
        operation_(o),
        rule_(o.activation ? make_rule<ActivationRules, T>(o.activation->name, o.activation->values)
                           : identity()),
        normalized_observer_(o.observe_normalized, this->tiles()),
        sum_observer_(o.observe_sum, this->tiles()),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const Block<const T> input = this->block(operation_.input, tile);
    const T* add = this->rows_from(operation_.add, tile);
    T* output = this->rows_from(operation_.output, tile);
    const ColumnNorm<T> norm{this->at(operation_.mean), this->at(operation_.variance),
                             this->at(operation_.scale), this->at(operation_.centre),
                             static_cast<T>(operation_.epsilon)};
    const Block<const T> block{output, input.rows, input.columns, input.stride};
    const bool apart = operation_.observe_normalized.layer >= 0 || operation_.observe_sum.layer >= 0;
    if (apart && context.outputs != nullptr) see_values_between(input, norm, add, block, context);
    if (context.observe && (apart || observer_.measures(context))) {
      const NormalizationMoments moments =
          kernels<T>().normalize_columns_measured[rule_.index](rule_.get(), input, norm, add, output);
      normalized_observer_.set_moments(tile, add != nullptr ? moments.normalized : moments.sum);
      sum_observer_.set_moments(tile, moments.sum);
      observer_.set_moments(tile, moments.output);
    } else {
      kernels<T>().normalize_columns[rule_.index](rule_.get(), input, norm, add, output);
    }
    observer_.see_values(block, context);
  }
  void collect(Measurements& measurements) const noexcept override {
    normalized_observer_.collect(measurements);
    sum_observer_.collect(measurements);
    observer_.collect(measurements);
  }

 private:
  // Distributions of what is not kept: computed step by step, in the place of the output.
  void see_values_between(Block<const T> input, const ColumnNorm<T>& norm, const T* add,
                          Block<const T> output, const RunContext& context) noexcept {
    T* values = const_cast<T*>(output.data);
    kernels<T>().normalize_columns[identity_.index](identity_.get(), input, norm, nullptr, values);
    normalized_observer_.see_values(output, context);
    if (add == nullptr) return;
    kernels<T>().accumulate(add, T(1), false, values, output.rows * output.columns);
    sum_observer_.see_values(output, context);
  }

  static RuleObject identity() { return make_rule<ActivationRules, T>("identity", Values{}); }

  ColumnNormalization operation_;
  RuleObject identity_ = identity();
  RuleObject rule_;
  Observer<T> normalized_observer_;
  Observer<T> sum_observer_;
  Observer<T> observer_;
};

template <typename T>
class ColumnNormalizationSumsOperation final : public SummingOperation<RowOperation<T>> {
 public:
  ColumnNormalizationSumsOperation(const ColumnNormalizationSums& o, const Program& program,
                                   const PointerTable& pointers)
      : SummingOperation<RowOperation<T>>(program.tensor(o.input), pointers, true),
        operation_(o),
        sums_(o, this->tiles(), this->columns_) {}

  void run(int tile, int, const RunContext&) noexcept override {
    sums_.clear(tile);
    sums_.add(tile, this->block(operation_.input, tile), this->rows_from(operation_.output_gradient, tile),
              this->at(operation_.mean), this->at(operation_.variance));
  }
  void finish() noexcept override {
    sums_.total(this->at(operation_.scale_gradient), this->at(operation_.centre_gradient));
  }
  void collect(Measurements& measurements) const noexcept override { sums_.collect(measurements); }

 private:
  ColumnNormalizationSums operation_;
  GradientSumsOfColumns<T> sums_;
};

template <typename T>
class ColumnNormalizationGradientOperation final : public RowOperation<T> {
 public:
  ColumnNormalizationGradientOperation(const ColumnNormalizationGradient& o, const Program& program,
                                       const PointerTable& pointers, std::int64_t samples)
      : RowOperation<T>(program.tensor(o.input), pointers, program, samples),
        operation_(o),
        rows_(static_cast<T>(rows_of(program.tensor(o.input)))) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().column_norm_gradient(
        this->block(operation_.input, tile), this->rows_from(operation_.output_gradient, tile),
        {this->at(operation_.mean), this->at(operation_.variance), this->at(operation_.scale), nullptr,
         static_cast<T>(operation_.epsilon)},
        this->at(operation_.scale_gradient), this->at(operation_.centre_gradient), rows_,
        this->rows_from(operation_.input_gradient, tile));
  }

 private:
  ColumnNormalizationGradient operation_;
  T rows_;
};

template <typename T>
class MovingAverageOperation final : public LoopOperation<T> {
 public:
  MovingAverageOperation(const MovingAverage& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.value).shape.elements(), 1),
        operation_(o),
        momentum_(static_cast<T>(o.momentum)),
        share_(static_cast<T>((1 - o.momentum) * o.factor)) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const T* value = this->at(operation_.value) + this->cut_.begin(tile);
    T* average = this->at(operation_.average) + this->cut_.begin(tile);
    for (std::int64_t i = 0; i < this->cut_.length(tile); ++i) {
      average[i] = momentum_ * average[i] + share_ * value[i];
    }
  }

 private:
  MovingAverage operation_;
  T momentum_;
  T share_;
};

}  // namespace

// With `samples` where the operation may be part of a phase by rows.
#define RAVINE_PREPARE(Given, T, ...)                                                                    \
  template <>                                                                                            \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(const Given& o, const Program& program,  \
                                                                const PointerTable& pointers,            \
                                                                [[maybe_unused]] std::int64_t samples) { \
    return std::make_unique<Given##Operation<T>>(o, program, pointers __VA_OPT__(, ) __VA_ARGS__);       \
  }
#define RAVINE_PREPARE_BOTH(Given, ...)                   \
  RAVINE_PREPARE(Given, float __VA_OPT__(, ) __VA_ARGS__) \
  RAVINE_PREPARE(Given, double __VA_OPT__(, ) __VA_ARGS__)
RAVINE_PREPARE_BOTH(ColumnMoments)
RAVINE_PREPARE_BOTH(ColumnNormalization, samples)
RAVINE_PREPARE_BOTH(ColumnNormalizationSums)
RAVINE_PREPARE_BOTH(ColumnNormalizationGradient, samples)
RAVINE_PREPARE_BOTH(MovingAverage)
#undef RAVINE_PREPARE_BOTH
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
