// Convolution and its gradients, a few images a tile: bias, activation (or its derivative) and measurements
// are done on each tile while it is in cache.
#include <algorithm>
#include <optional>
#include <type_traits>

#include "backend/cpu/column_statistics.h"
#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/operation.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/stored_tile.h"

namespace ravine::cpu {

ConvolutionShape shape_of(const Tensor& input, const Tensor& output, const Window& window,
                          std::int64_t groups) {
  return {input.shape[1],  input.shape[2],  input.shape[3], output.shape[1],
          output.shape[2], output.shape[3], window,         groups};
}

namespace {

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_engine(ConvolutionKind kind, const ConvolutionShape& shape,
                                                  const ImageCut& cut, const ComputeOptions& options,
                                                  int workers, const OperandForms& forms) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (options.winograd) {
      if (auto engine = make_winograd_convolution<T>(kind, shape, cut, workers, forms)) return engine;
    }
    if (auto engine = make_onednn_convolution(kind, shape, cut, workers, forms)) return engine;
  }
  return make_unfolded_convolution<T>(kind, shape, workers, forms);
}

OperandForm form_of(TensorId id, const Program& program) {
  if (!program.options.bfloat16) return OperandForm::plain;
  return is_stored_in_bfloat16(id, program) ? OperandForm::stored : OperandForm::rounded;
}

// As many images a tile as fit the cache, and sixteen tiles where the batch allows; or as many as are given.
template <typename T>
ImageCut cut_for(std::int64_t batch, const ConvolutionShape& shape, std::int64_t given) {
  if (given > 0) return {batch, given};
  constexpr std::int64_t bytes_in_cache = 512 * 1024;
  const std::int64_t bytes =
      (shape.input_elements() + shape.output_elements()) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t fit = std::max<std::int64_t>(1, bytes_in_cache / std::max<std::int64_t>(1, bytes));
  return {batch, std::clamp<std::int64_t>(fit, 1, (batch + 15) / 16)};
}

// Partial sums of weight gradients take memory: at most 16, and 64 MiB unless one alone is larger.
template <typename T>
ImageCut cut_for_sums(std::int64_t batch, const ConvolutionShape& shape, std::int64_t given) {
  if (given > 0) return {batch, given};
  constexpr std::int64_t most_bytes = 64 << 20;
  const std::int64_t bytes = shape.weight_elements() * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t tiles = std::clamp<std::int64_t>(most_bytes / bytes, 1, 16);
  return {batch, (batch + tiles - 1) / tiles};
}

// Brings the weights into the engine's order, once a run.
template <typename T>
class ImportWeights {
 public:
  explicit ImportWeights(ConvolutionEngine<T>& engine)
      : engine_(engine), own_(engine.reorders() ? engine.own_elements() : 0) {}

  int stages() const { return engine_.reorders() ? 1 : 0; }
  int tiles() const { return engine_.parts(); }
  void run(int tile, const T* weights) noexcept { engine_.import_part(tile, weights, own_.get()); }
  const T* weights(const T* given) const { return engine_.reorders() ? own_.get() : given; }

 private:
  ConvolutionEngine<T>& engine_;
  AlignedArray<T> own_;
};

template <typename T>
class TensorOperation : public CpuOperation {
 protected:
  explicit TensorOperation(const PointerTable& pointers) : pointers_(pointers) {}
  T* at(TensorId id) const {
    return id == no_tensor ? nullptr : static_cast<T*>(pointers_[static_cast<std::size_t>(id)]);
  }
  // An element of what is stored in T or in bfloat16.
  const void* at(const Tile<T>& tensor, std::int64_t offset) const {
    return tensor.at(at(tensor.id()), offset);
  }

 private:
  const PointerTable& pointers_;
};

template <typename T>
class ConvolutionOperation final : public TensorOperation<T> {
 public:
  ConvolutionOperation(const Convolution& o, const Program& program, const PointerTable& pointers,
                       int workers, std::int64_t samples)
      : TensorOperation<T>(pointers),
        operation_(o),
        shape_(shape_of(program.tensor(o.input), program.tensor(o.output), o.window, o.groups)),
        cut_(cut_for<T>(program.batch(), shape_, samples)),
        engine_(make_engine<T>(ConvolutionKind::forward, shape_, cut_, program.options, workers,
                               {form_of(o.input, program), form_of(o.weight, program)})),
        import_(*engine_),
        input_(o.input, program, 0, workers),
        output_(o.output, program, cut_.images * shape_.output_elements(), workers),
        observer_(o.observe, cut_.tiles()) {
    const Component identity{"identity", {}};
    const Component& rule = o.activation ? *o.activation : identity;
    if (o.activation || o.bias != no_tensor) {
      activation_ = make_rule<ActivationRules, T>(rule.name, rule.values);
    }
    if (o.mean != no_tensor) moments_.emplace(cut_.tiles(), shape_.filters);
  }

  // The weights first, where the engine wants them in another order; moments last.
  int stages() const override { return heaviest_stage() + (moments_ ? 2 : 1); }
  int tiles_of(int stage) const override {
    return stage < heaviest_stage() ? import_.tiles() : stage == heaviest_stage() ? tiles() : 1;
  }
  int heaviest_stage() const override { return import_.stages(); }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == heaviest_stage()) {
      run(tile, worker, context);
    } else if (stage < heaviest_stage()) {
      import_.run(tile, this->at(operation_.weight));
    } else {
      moments_->total(this->at(operation_.mean), this->at(operation_.variance));
    }
  }

  int tiles() const override { return cut_.tiles(); }
  void run(int tile, int worker, const RunContext& context) noexcept override {
    const std::int64_t image = cut_.begin(tile);
    const std::int64_t images = cut_.length(tile);
    const std::int64_t offset = image * shape_.output_elements();
    T* output = output_.place(worker, this->at(operation_.output), offset);
    engine_->run(worker, images, this->at(input_, image * shape_.input_elements()),
                 import_.weights(this->at(operation_.weight)), output);
    const std::int64_t rows = images * shape_.out_height * shape_.out_width;
    const Block<T> block{output, rows, shape_.filters, shape_.filters};
    const T* bias = this->at(operation_.bias);
    if (moments_) {
      see_moments(tile, block, bias, context);
    } else if (activation_.index >= 0) {
      observer_.see_activated(tile, block, activation_, bias, context);
    } else {
      observer_.see(tile, {output, rows, shape_.filters, shape_.filters}, context);
    }
    output_.store(output, this->at(operation_.output), offset, images * shape_.output_elements());
  }

  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }
  std::string engine() const override { return engine_->name(); }

 private:
  // Finishes a tile whose columns' moments are wanted: what is measured follows from them.
  void see_moments(int tile, Block<T> block, const T* bias, const RunContext& context) noexcept {
    if (activation_.index >= 0) {
      kernels<T>().activations[activation_.index].bias_forward(activation_.get(), block, bias);
    }
    const Block<const T> finished{block.data, block.rows, block.columns, block.stride};
    std::int64_t zeros = 0;
    const bool measures = observer_.measures(context);
    moments_->see(tile, finished, measures ? &zeros : nullptr);
    if (measures) observer_.set_moments(tile, moments_->together(tile, zeros));
    observer_.see_values(finished, context);
  }

  Convolution operation_;
  ConvolutionShape shape_;
  ImageCut cut_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  ImportWeights<T> import_;
  Tile<T> input_, output_;
  RuleObject activation_;
  std::optional<MomentsOfColumns<T>> moments_;
  Observer<T> observer_;
};

template <typename T>
class ConvolutionInputGradientOperation final : public TensorOperation<T> {
 public:
  ConvolutionInputGradientOperation(const ConvolutionInputGradient& o, const Program& program,
                                    const PointerTable& pointers, int workers, std::int64_t samples)
      : TensorOperation<T>(pointers),
        operation_(o),
        shape_(shape_of(program.tensor(o.output), program.tensor(o.output_gradient), o.window, o.groups)),
        cut_(cut_for<T>(program.batch(), shape_, samples)),
        engine_(make_engine<T>(ConvolutionKind::input_gradient, shape_, cut_, program.options, workers,
                               {form_of(o.output_gradient, program), form_of(o.weight, program)})),
        import_(*engine_),
        block_(std::max<std::int64_t>(32, 4096 / shape_.channels) * shape_.channels),
        output_gradient_(o.output_gradient, program, 0, workers),
        output_(o.output, program, cut_.images * shape_.input_elements(), workers),
        add_(o.add, program, block_, workers),
        activation_input_(o.activation_input, program, block_, workers),
        activation_output_(o.activation_output, program, block_, workers),
        sums_input_(o.sums ? o.sums->input : no_tensor, program, block_, workers) {
    if (o.activation_gradient) {
      gradient_ = make_rule<ActivationRules, T>(o.activation_gradient->name, o.activation_gradient->values);
    }
    if (o.sums) sums_.emplace(*o.sums, cut_.tiles(), shape_.channels);
  }

  // The weights first, where the engine wants them in another order; sums last.
  int stages() const override { return heaviest_stage() + (sums_ ? 2 : 1); }
  int tiles_of(int stage) const override {
    return stage < heaviest_stage() ? import_.tiles() : stage == heaviest_stage() ? tiles() : 1;
  }
  int heaviest_stage() const override { return import_.stages(); }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == heaviest_stage()) {
      run(tile, worker, context);
    } else if (stage < heaviest_stage()) {
      import_.run(tile, this->at(operation_.weight));
    } else {
      sums_->total(this->at(operation_.sums->scale_gradient), this->at(operation_.sums->centre_gradient));
    }
  }

  int tiles() const override { return cut_.tiles(); }
  void run(int tile, int worker, const RunContext&) noexcept override {
    const std::int64_t image = cut_.begin(tile);
    const std::int64_t images = cut_.length(tile);
    const std::int64_t offset = image * shape_.input_elements();
    T* output = output_.place(worker, this->at(operation_.output), offset);
    engine_->run(worker, images, this->at(output_gradient_, image * shape_.output_elements()),
                 import_.weights(this->at(operation_.weight)), output);
    if (sums_) sums_->clear(tile);
    // A few rows at a time, which then stay in the nearest cache.
    const std::int64_t elements = images * shape_.input_elements();
    for (std::int64_t begin = 0; begin < elements; begin += block_) {
      finish_block(tile, worker, offset + begin, std::min(block_, elements - begin), output + begin);
    }
  }

  void collect(Measurements& measurements) const noexcept override {
    if (sums_) sums_->collect(measurements);
  }
  std::string engine() const override { return engine_->name(); }

 private:
  // What is merged into the operation, for so many values of its output.
  void finish_block(int tile, int worker, std::int64_t offset, std::int64_t count, T* output) noexcept {
    const auto read = [&](const Tile<T>& tensor) {
      return tensor.read(worker, this->at(tensor.id()), offset, count);
    };
    if (operation_.add != no_tensor) kernels<T>().accumulate(read(add_), T(1), false, output, count);
    if (gradient_.index >= 0) {
      const T* y = read(activation_output_);
      const T* x = operation_.activation_input == no_tensor ? y : read(activation_input_);
      kernels<T>().activations[gradient_.index].gradient(gradient_.get(), x, y, output, output, count);
    }
    if (sums_) {
      const ColumnNormalizationSums& sums = *operation_.sums;
      const std::int64_t channels = shape_.channels;
      sums_->add(tile, {read(sums_input_), count / channels, channels, channels}, output, this->at(sums.mean),
                 this->at(sums.variance));
    }
    output_.store(output, this->at(operation_.output), offset, count);
  }

  ConvolutionInputGradient operation_;
  ConvolutionShape shape_;
  ImageCut cut_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  ImportWeights<T> import_;
  std::int64_t block_;  // elements of some rows
  Tile<T> output_gradient_, output_;
  Tile<T> add_, activation_input_, activation_output_, sums_input_;  // a block of them
  RuleObject gradient_;
  std::optional<GradientSumsOfColumns<T>> sums_;
};

// Every tile leaves its own sums over its images; they are added in tile order afterwards.
template <typename T>
class ConvolutionWeightGradientOperation final : public TensorOperation<T> {
 public:
  ConvolutionWeightGradientOperation(const ConvolutionWeightGradient& o, const Program& program,
                                     const PointerTable& pointers, int workers, std::int64_t samples)
      : TensorOperation<T>(pointers),
        operation_(o),
        shape_(shape_of(program.tensor(o.input), program.tensor(o.output_gradient), o.window, o.groups)),
        cut_(cut_for_sums<T>(program.batch(), shape_, samples)),
        engine_(make_engine<T>(ConvolutionKind::weight_gradient, shape_, cut_, program.options, workers,
                               {form_of(o.input, program), form_of(o.output_gradient, program)})),
        input_(o.input, program, 0, workers),
        output_gradient_(o.output_gradient, program, 0, workers),
        own_elements_(engine_->own_elements()),
        stride_((own_elements_ + shape_.filters + granule - 1) / granule * granule),
        partials_(stride_ * cut_.tiles()),
        sum_(engine_->reorders() ? own_elements_ : 0),
        observer_(o.observe, sum_tiles()),
        bias_observer_(o.observe_bias, 1) {}

  int tiles() const override { return cut_.tiles(); }
  void run(int tile, int worker, const RunContext&) noexcept override {
    const std::int64_t image = cut_.begin(tile);
    const std::int64_t images = cut_.length(tile);
    const void* gradient = this->at(output_gradient_, image * shape_.output_elements());
    T* partial = partials_.get() + tile * stride_;
    engine_->run(worker, images, this->at(input_, image * shape_.input_elements()), gradient, partial);
    if (operation_.bias_output == no_tensor) return;
    const std::int64_t rows = images * shape_.out_height * shape_.out_width;
    const auto sum = [&]<typename S>(const S* values) {
      kernels<S>().column_sum({values, rows, shape_.filters, shape_.filters}, partial + own_elements_);
    };
    if constexpr (std::is_same_v<T, float>) {
      if (output_gradient_.is_stored()) return sum(static_cast<const Bfloat16*>(gradient));
    }
    sum(static_cast<const T*>(gradient));
  }

  // Tiles, their sums, and the order that the gradient has elsewhere.
  int stages() const override { return engine_->reorders() ? 3 : 2; }
  int tiles_of(int stage) const override {
    return stage == 0 ? tiles() : stage == 1 ? sum_tiles() + 1 : engine_->parts();
  }
  int heaviest_stage() const override { return 0; }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == 0) run(tile, worker, context);
    if (stage == 1) add_partials(tile);
    if (stage == 2) engine_->export_part(tile, sum_.get(), this->at(operation_.output));
  }

  void collect(Measurements& measurements) const noexcept override {
    observer_.collect(measurements);
    bias_observer_.collect(measurements);
  }
  std::string engine() const override { return engine_->name(); }

 private:
  static constexpr std::int64_t granule = 16;
  static constexpr std::int64_t block = 4096;

  int sum_tiles() const { return static_cast<int>((own_elements_ + block - 1) / block); }

  // The last tile is the bias.
  void add_partials(int tile) noexcept {
    if (tile == sum_tiles()) {
      if (operation_.bias_output == no_tensor) return;
      bias_observer_.set_squares(0, add(own_elements_, shape_.filters, this->at(operation_.bias_output)));
      return;
    }
    const std::int64_t begin = tile * block;
    T* sum = (engine_->reorders() ? sum_.get() : this->at(operation_.output)) + begin;
    observer_.set_squares(tile, add(begin, std::min(block, own_elements_ - begin), sum));
  }

  // Returns the sum of squares of what it adds up.
  double add(std::int64_t begin, std::int64_t count, T* sum) const noexcept {
    return kernels<T>().column_sum({partials_.get() + begin, cut_.tiles(), count, stride_}, sum);
  }

  ConvolutionWeightGradient operation_;
  ConvolutionShape shape_;
  ImageCut cut_;
  std::unique_ptr<ConvolutionEngine<T>> engine_;
  Tile<T> input_, output_gradient_;
  std::int64_t own_elements_;
  std::int64_t stride_;
  AlignedArray<T> partials_;  // a tile's weights in the engine's order, then its bias
  AlignedArray<T> sum_;
  Observer<T> observer_;
  Observer<T> bias_observer_;
};

}  // namespace

template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_convolution(const Given& o, const Program& program,
                                                  const PointerTable& pointers, int workers,
                                                  std::int64_t samples) {
  if constexpr (std::is_same_v<Given, Convolution>) {
    return std::make_unique<ConvolutionOperation<T>>(o, program, pointers, workers, samples);
  } else if constexpr (std::is_same_v<Given, ConvolutionInputGradient>) {
    return std::make_unique<ConvolutionInputGradientOperation<T>>(o, program, pointers, workers, samples);
  } else {
    return std::make_unique<ConvolutionWeightGradientOperation<T>>(o, program, pointers, workers, samples);
  }
}

#define RAVINE_PREPARE(T, Given)                                        \
  template std::unique_ptr<CpuOperation> prepare_convolution<T, Given>( \
      const Given&, const Program&, const PointerTable&, int, std::int64_t);
RAVINE_PREPARE(float, Convolution)
RAVINE_PREPARE(double, Convolution)
RAVINE_PREPARE(float, ConvolutionInputGradient)
RAVINE_PREPARE(double, ConvolutionInputGradient)
RAVINE_PREPARE(float, ConvolutionWeightGradient)
RAVINE_PREPARE(double, ConvolutionWeightGradient)
#undef RAVINE_PREPARE

}  // namespace ravine::cpu
