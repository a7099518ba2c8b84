// Batch normalization: moments of columns, and the passes that normalize by them.
#include "backend/cpu/column_statistics.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/stored_tile.h"
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
    moments_.total(this->number(operation_.mean), this->number(operation_.variance));
  }

 private:
  ColumnMoments operation_;
  MomentsOfColumns<T> moments_;
};

// In one pass; what is stored in bfloat16 is computed in float32, tile by tile, and rounded once.
template <typename T>
class ColumnNormalizationOperation final : public RowOperation<T> {
 public:
  ColumnNormalizationOperation(const ColumnNormalization& o, const Program& program,
                               const PointerTable& pointers, int workers, std::int64_t samples)
      : RowOperation<T>(program.tensor(o.input), pointers, program, samples),
        operation_(o),
        rule_(o.activation ? make_rule<ActivationRules, Computed>(o.activation->name, o.activation->values)
                           : identity()),
        input_(o.input, program, this->cut_.block * this->columns_, workers),
        add_(o.add, program, this->cut_.block * this->columns_, workers),
        output_(o.output, program, this->cut_.block * this->columns_, workers),
        normalized_observer_(o.observe_normalized, this->tiles()),
        sum_observer_(o.observe_sum, this->tiles()),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int worker, const RunContext& context) noexcept override {
    const std::int64_t rows = this->cut_.length(tile), columns = this->columns_;
    const std::int64_t offset = this->cut_.begin(tile) * columns;
    const auto read = [&](const Tile<Computed>& tensor) {
      return tensor.read(worker, this->at(tensor.id()), offset, rows * columns);
    };
    const Block<const Computed> input{read(input_), rows, columns, columns};
    const Computed* add = operation_.add == no_tensor ? nullptr : read(add_);
    Computed* output = output_.place(worker, this->at(operation_.output), offset);
    const ColumnNorm<Computed> norm{this->number(operation_.mean), this->number(operation_.variance),
                                    this->number(operation_.scale), this->number(operation_.centre),
                                    static_cast<Computed>(operation_.epsilon)};
    const Block<const Computed> block{output, rows, columns, columns};
    const Kernels<Computed>& loops = kernels<Computed>();
    const bool apart = operation_.observe_normalized.layer >= 0 || operation_.observe_sum.layer >= 0;
    if (apart && context.outputs != nullptr) see_values_between(input, norm, add, block, context);
    if (context.observe && (apart || observer_.measures(context))) {
      const NormalizationMoments moments =
          loops.normalize_columns_measured[rule_.index](rule_.get(), input, norm, add, output);
      normalized_observer_.set_moments(tile, add != nullptr ? moments.normalized : moments.sum);
      sum_observer_.set_moments(tile, moments.sum);
      observer_.set_moments(tile, moments.output);
    } else {
      loops.normalize_columns[rule_.index](rule_.get(), input, norm, add, output);
    }
    observer_.see_values(block, context);
    output_.store(output, this->at(operation_.output), offset, rows * columns);
  }
  void collect(Measurements& measurements) const noexcept override {
    normalized_observer_.collect(measurements);
    sum_observer_.collect(measurements);
    observer_.collect(measurements);
  }

 private:
  using Computed = Number<T>;

  // Distributions of what is not kept: computed step by step, in the place of the output.
  void see_values_between(Block<const Computed> input, const ColumnNorm<Computed>& norm, const Computed* add,
                          Block<const Computed> output, const RunContext& context) noexcept {
    Computed* values = const_cast<Computed*>(output.data);
    const Kernels<Computed>& loops = kernels<Computed>();
    loops.normalize_columns[identity_.index](identity_.get(), input, norm, nullptr, values);
    normalized_observer_.see_values(output, context);
    if (add == nullptr) return;
    loops.accumulate(add, Computed(1), false, values, output.rows * output.columns);
    sum_observer_.see_values(output, context);
  }

  static RuleObject identity() { return make_rule<ActivationRules, Computed>("identity", Values{}); }

  ColumnNormalization operation_;
  RuleObject identity_ = identity();
  RuleObject rule_;
  Tile<Computed> input_, add_, output_;
  Observer<Computed> normalized_observer_;
  Observer<Computed> sum_observer_;
  Observer<Computed> observer_;
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
              this->number(operation_.mean), this->number(operation_.variance));
  }
  void finish() noexcept override {
    sums_.total(this->number(operation_.scale_gradient), this->number(operation_.centre_gradient));
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
        rows_(static_cast<Number<T>>(rows_of(program.tensor(o.input)))) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const Number<T>* const count = this->number(operation_.count);
    kernels<T>().column_norm_gradient(
        this->block(operation_.input, tile), this->rows_from(operation_.output_gradient, tile),
        {this->number(operation_.mean), this->number(operation_.variance), this->number(operation_.scale),
         nullptr, static_cast<Number<T>>(operation_.epsilon)},
        this->number(operation_.scale_gradient), this->number(operation_.centre_gradient),
        count == nullptr ? rows_ : *count, this->rows_from(operation_.input_gradient, tile));
  }

 private:
  ColumnNormalizationGradient operation_;
  Number<T> rows_;
};

template <typename T>
class MovingAverageOperation final : public LoopOperation<T> {
 public:
  MovingAverageOperation(const MovingAverage& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.value).shape.elements(), 1),
        operation_(o),
        momentum_(static_cast<T>(o.momentum)) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const T* count = this->at(operation_.count);
    const double rows = count == nullptr ? 0 : static_cast<double>(*count);
    const double factor = rows > 1 ? rows / (rows - 1) : count == nullptr ? operation_.factor : 1;
    const T share = static_cast<T>((1 - operation_.momentum) * factor);
    const T* value = this->at(operation_.value) + this->cut_.begin(tile);
    T* average = this->at(operation_.average) + this->cut_.begin(tile);
    for (std::int64_t i = 0; i < this->cut_.length(tile); ++i) {
      average[i] = momentum_ * average[i] + share * value[i];
    }
  }

 private:
  MovingAverage operation_;
  T momentum_;
};

}  // namespace

// With `samples` where the operation may be part of a phase by rows, with `workers` where each has memory.
#define RAVINE_PREPARE(Given, T, ...)                                                                     \
  template <>                                                                                             \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(                                          \
      const Given& o, const Program& program, const PointerTable& pointers, [[maybe_unused]] int workers, \
      [[maybe_unused]] std::int64_t samples) {                                                            \
    return std::make_unique<Given##Operation<T>>(o, program, pointers __VA_OPT__(, ) __VA_ARGS__);        \
  }
#define RAVINE_PREPARE_BOTH(Given, ...)                   \
  RAVINE_PREPARE(Given, float __VA_OPT__(, ) __VA_ARGS__) \
  RAVINE_PREPARE(Given, double __VA_OPT__(, ) __VA_ARGS__)
#define RAVINE_PREPARE_ALL(Given, ...)                  \
  RAVINE_PREPARE_BOTH(Given __VA_OPT__(, ) __VA_ARGS__) \
  RAVINE_PREPARE(Given, Bfloat16 __VA_OPT__(, ) __VA_ARGS__)
RAVINE_PREPARE_ALL(ColumnMoments)
RAVINE_PREPARE_ALL(ColumnNormalization, workers, samples)
RAVINE_PREPARE_ALL(ColumnNormalizationSums)
RAVINE_PREPARE_ALL(ColumnNormalizationGradient, samples)
RAVINE_PREPARE_BOTH(MovingAverage)
#undef RAVINE_PREPARE_ALL
#undef RAVINE_PREPARE_BOTH
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
