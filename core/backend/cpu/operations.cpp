// The operations that are simple loops: activations, dropout, sums.
#include <algorithm>
#include <type_traits>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/rule_object.h"

namespace ravine::cpu {
namespace {

template <typename T>
class ActivationOperation final : public LoopOperation<T> {
 public:
  ActivationOperation(const Activation& o, const Program& program, const PointerTable& pointers,
                      std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.tensor(o.input).shape.elements(), 1, samples),
        operation_(o),
        rule_(make_rule<ActivationRules, Number<T>>(o.rule.name, o.rule.values)),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t count = this->cut_.length(tile);
    T* output = this->at(operation_.output) + begin;
    kernels<T>().activations[rule_.index].forward(rule_.get(), this->at(operation_.input) + begin, output,
                                                  count);
    observer_.see(tile, {output, 1, count, count}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Activation operation_;
  RuleObject rule_;
  Observer<T> observer_;
};

template <typename T>
class ActivationGradientOperation final : public LoopOperation<T> {
 public:
  ActivationGradientOperation(const ActivationGradient& o, const Program& program,
                              const PointerTable& pointers, std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.tensor(o.output).shape.elements(), 1, samples),
        operation_(o),
        rule_(make_rule<ActivationRules, Number<T>>(o.rule.name, o.rule.values)) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const T* y = this->at(operation_.output) + begin;
    const T* x = operation_.input == no_tensor ? y : this->at(operation_.input) + begin;
    kernels<T>().activations[rule_.index].gradient(
        rule_.get(), x, y, this->at(operation_.output_gradient) + begin,
        this->at(operation_.input_gradient) + begin, this->cut_.length(tile));
  }

 private:
  ActivationGradient operation_;
  RuleObject rule_;
};

template <typename T>
class DropoutOperation final : public LoopOperation<T> {
 public:
  DropoutOperation(const Dropout& o, const Program& program, const PointerTable& pointers,
                   std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.batch(),
                         program.tensor(o.input).shape.elements() / program.batch(), samples),
        operation_(o),
        columns_(program.tensor(o.input).shape.elements() / program.batch()),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t row = this->cut_.begin(tile);
    const std::int64_t rows = this->cut_.length(tile);
    const RandomKey key{context.seed, RandomPurpose::dropout, operation_.stream, context.step};
    T* output = this->at(operation_.output) + row * columns_;
    kernels<T>().dropout(key, operation_.rate, operation_.scales,
                         context.first_row + static_cast<std::uint32_t>(row),
                         {this->at(operation_.input) + row * columns_, rows, columns_, columns_}, output);
    observer_.see(tile, {output, rows, columns_, columns_}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Dropout operation_;
  std::int64_t columns_;
  Observer<T> observer_;
};

template <typename T>
class AffineOperation final : public LoopOperation<T> {
 public:
  AffineOperation(const Affine& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.input).shape.elements(), 1),
        operation_(o),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t count = this->cut_.length(tile);
    T* output = this->at(operation_.output) + begin;
    kernels<T>().affine(this->at(operation_.input) + begin, static_cast<T>(operation_.factor),
                        static_cast<T>(operation_.shift), output, count);
    observer_.see(tile, {output, 1, count, count}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Affine operation_;
  Observer<T> observer_;
};

template <typename T>
class ColumnSumOperation final : public LoopOperation<T> {
 public:
  ColumnSumOperation(const ColumnSum& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, columns_of(program.tensor(o.input)), rows_of(program.tensor(o.input))),
        operation_(o),
        rows_(rows_of(program.tensor(o.input))),
        columns_(columns_of(program.tensor(o.input))),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t column = this->cut_.begin(tile);
    const double squares = kernels<T>().column_sum(
        {this->at(operation_.input) + column, rows_, this->cut_.length(tile), columns_},
        this->number(operation_.output) + column);
    observer_.set_squares(tile, squares);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  ColumnSum operation_;
  std::int64_t rows_;
  std::int64_t columns_;
  Observer<T> observer_;
};

template <typename T>
class SoftmaxOperation final : public LoopOperation<T> {
 public:
  SoftmaxOperation(const Softmax& o, const Program& program, const PointerTable& pointers,
                   std::int64_t samples)
      : LoopOperation<T>(pointers, program, rows_of(program.tensor(o.input)),
                         columns_of(program.tensor(o.input)), samples),
        operation_(o),
        columns_(columns_of(program.tensor(o.input))),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile) * columns_;
    const std::int64_t rows = this->cut_.length(tile);
    T* output = this->at(operation_.output) + begin;
    kernels<T>().softmax({this->at(operation_.input) + begin, rows, columns_, columns_}, output);
    observer_.see(tile, {output, rows, columns_, columns_}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Softmax operation_;
  std::int64_t columns_;
  Observer<T> observer_;
};

template <typename T>
class SoftmaxGradientOperation final : public LoopOperation<T> {
 public:
  SoftmaxGradientOperation(const SoftmaxGradient& o, const Program& program, const PointerTable& pointers,
                           std::int64_t samples)
      : LoopOperation<T>(pointers, program, rows_of(program.tensor(o.output)),
                         columns_of(program.tensor(o.output)), samples),
        operation_(o),
        columns_(columns_of(program.tensor(o.output))) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile) * columns_;
    kernels<T>().softmax_gradient(
        {this->at(operation_.output) + begin, this->cut_.length(tile), columns_, columns_},
        this->at(operation_.output_gradient) + begin, this->at(operation_.input_gradient) + begin);
  }

 private:
  SoftmaxGradient operation_;
  std::int64_t columns_;
};

template <typename T>
struct Prepare {
  const Program& program;
  const PointerTable& pointers;
  int workers;
  std::int64_t samples;

  using Result = std::unique_ptr<CpuOperation>;
  Result operator()(const Product& o) const {
    return prepare_product<T>(o, program, pointers, workers, samples);
  }
  Result operator()(const Add& o) const {
    return of_elements(o.output, [&]<typename S> { return prepare_add<S>(o, program, pointers, samples); });
  }
  Result operator()(const CopyColumns& o) const {
    return of_elements(o.output,
                       [&]<typename S> { return prepare_copy_columns<S>(o, program, pointers, samples); });
  }
  Result operator()(const Convolution& o) const { return convolution(o); }
  Result operator()(const ConvolutionInputGradient& o) const { return convolution(o); }
  Result operator()(const ConvolutionWeightGradient& o) const { return convolution(o); }
  Result operator()(const Pooling& o) const {
    return prepare_pooling<T>(o, program, pointers, workers, samples);
  }
  Result operator()(const PoolingGradient& o) const {
    return prepare_pooling<T>(o, program, pointers, workers, samples);
  }
  Result operator()(const Activation& o) const {
    return of_elements(o.output, [&]<typename S> { return make<ActivationOperation<S>>(o); });
  }
  Result operator()(const ActivationGradient& o) const {
    return of_elements(o.output, [&]<typename S> { return make<ActivationGradientOperation<S>>(o); });
  }
  Result operator()(const Dropout& o) const {
    return of_elements(o.output, [&]<typename S> { return make<DropoutOperation<S>>(o); });
  }
  Result operator()(const ColumnSum& o) const {
    return of_elements(o.input, [&]<typename S>() -> Result {
      return std::make_unique<ColumnSumOperation<S>>(o, program, pointers);
    });
  }
  Result operator()(const ColumnMoments& o) const { return column_normalization(o, o.input); }
  Result operator()(const ColumnNormalization& o) const { return column_normalization(o, o.output); }
  Result operator()(const ColumnNormalizationSums& o) const { return column_normalization(o, o.input); }
  Result operator()(const ColumnNormalizationGradient& o) const { return column_normalization(o, o.input); }
  Result operator()(const SoftmaxCrossEntropy& o) const {
    return prepare_loss<T>(o, program, pointers, samples);
  }
  Result operator()(const ElementwiseLoss& o) const { return prepare_loss<T>(o, program, pointers, samples); }
  Result operator()(const Affine& o) const {
    return std::make_unique<AffineOperation<T>>(o, program, pointers);
  }
  Result operator()(const GatherColumns& o) const { return model_group(o); }
  Result operator()(const SumRanks& o) const { return model_group(o); }
  Result operator()(const Broadcast& o) const { return model_group(o); }
  Result operator()(const MergeMeasurements& o) const { return model_group(o); }
  Result operator()(const Softmax& o) const { return make<SoftmaxOperation<T>>(o); }
  Result operator()(const SoftmaxGradient& o) const { return make<SoftmaxGradientOperation<T>>(o); }

  // Calls prepare<S>() where the elements of a tensor are stored as S.
  template <typename PrepareFor>
  Result of_elements(TensorId id, const PrepareFor& prepare) const {
    if constexpr (std::is_same_v<T, float>) {
      if (program.tensor(id).dtype == DType::bfloat16) return prepare.template operator()<Bfloat16>();
    }
    return prepare.template operator()<T>();
  }
  template <typename Given>
  Result column_normalization(const Given& o, TensorId id) const {
    return of_elements(
        id, [&]<typename S> { return prepare_normalization<S>(o, program, pointers, workers, samples); });
  }
  template <typename Given>
  Result convolution(const Given& o) const {
    return prepare_convolution<T>(o, program, pointers, workers, samples);
  }
  template <typename Given>
  Result model_group(const Given& o) const {
    return prepare_model_group<T>(o, program, pointers);
  }
  template <typename Given>
  Result operator()(const Given& o) const {
    return prepare_normalization<T>(o, program, pointers, workers, samples);
  }

  template <typename Prepared, typename Given>
  Result make(const Given& given) const {
    return std::make_unique<Prepared>(given, program, pointers, samples);
  }
};

}  // namespace

std::unique_ptr<CpuOperation> prepare_operation(const Operation& operation, const Program& program,
                                                const PointerTable& pointers, int workers,
                                                std::int64_t samples) {
  if (program.dtype() == DType::float64) {
    return std::visit(Prepare<double>{program, pointers, workers, samples}, operation);
  }
  return std::visit(Prepare<float>{program, pointers, workers, samples}, operation);
}

}  // namespace ravine::cpu
