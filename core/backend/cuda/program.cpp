#include "backend/cuda/program.h"

#include <limits>
#include <set>

#include "backend/cuda/histogram.h"
#include "backend/cuda/model_group.h"
#include "backend/cuda/observations.h"
#include "backend/cuda/operation.h"

namespace ravine::cuda {
namespace {

// Prepares what there is; null for the rest.
template <typename T>
struct Prepare {
  const Preparation& preparation;

  Prepared operator()(const Product& o) const { return prepare_product<T>(o, preparation); }
  Prepared operator()(const Activation& o) const { return prepare_activation<T>(o, preparation); }
  Prepared operator()(const ActivationGradient& o) const {
    return prepare_activation_gradient<T>(o, preparation);
  }
  Prepared operator()(const Dropout& o) const { return prepare_dropout<T>(o, preparation); }
  Prepared operator()(const ColumnSum& o) const { return prepare_column_sum<T>(o, preparation); }
  Prepared operator()(const SoftmaxCrossEntropy& o) const { return prepare_loss<T>(o, preparation); }
  Prepared operator()(const ElementwiseLoss& o) const { return prepare_loss<T>(o, preparation); }
  Prepared operator()(const Softmax& o) const { return prepare_softmax<T>(o, preparation); }
  Prepared operator()(const SoftmaxGradient& o) const { return prepare_softmax<T>(o, preparation); }
  Prepared operator()(const Add& o) const { return prepare_elementwise<T>(o, preparation); }
  Prepared operator()(const Affine& o) const { return prepare_elementwise<T>(o, preparation); }
  Prepared operator()(const CopyColumns& o) const { return prepare_elementwise<T>(o, preparation); }
  Prepared operator()(const ColumnMoments& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const ColumnNormalization& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const ColumnNormalizationSums& o) const {
    return prepare_normalization<T>(o, preparation);
  }
  Prepared operator()(const ColumnNormalizationGradient& o) const {
    return prepare_normalization<T>(o, preparation);
  }
  Prepared operator()(const MovingAverage& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const ravine::MergeMoments& o) const {
    return prepare_normalization<T>(o, preparation);
  }
  Prepared operator()(const MergeSums& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const BlockNormalization& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const BlockNormalizationGradient& o) const {
    return prepare_normalization<T>(o, preparation);
  }
  Prepared operator()(const WeightNormalization& o) const { return prepare_normalization<T>(o, preparation); }
  Prepared operator()(const WeightNormalizationGradient& o) const {
    return prepare_normalization<T>(o, preparation);
  }
  Prepared operator()(const Convolution& o) const { return prepare_convolution<T>(o, preparation); }
  Prepared operator()(const ConvolutionInputGradient& o) const {
    return prepare_convolution<T>(o, preparation);
  }
  Prepared operator()(const ConvolutionWeightGradient& o) const {
    return prepare_convolution<T>(o, preparation);
  }
  Prepared operator()(const Pooling& o) const { return prepare_pooling<T>(o, preparation); }
  Prepared operator()(const PoolingGradient& o) const { return prepare_pooling<T>(o, preparation); }
  Prepared operator()(const GatherColumns& o) const { return prepare_model_group<T>(o, preparation); }
  Prepared operator()(const SumRanks& o) const { return prepare_model_group<T>(o, preparation); }
  Prepared operator()(const Broadcast& o) const { return prepare_model_group<T>(o, preparation); }
  Prepared operator()(const MergeMeasurements& o) const { return prepare_model_group<T>(o, preparation); }
  template <typename Other>
  Prepared operator()(const Other&) const = delete;
};

template <typename T, typename Given>
concept Preparable = requires(const Prepare<T>& prepare, const Given& given) { prepare(given); };

Prepared prepare(const Operation& operation, const Preparation& preparation) {
  const auto with = [&]<typename T>(const Prepare<T>& prepare) {
    return std::visit(
        [&]<typename Given>(const Given& given) -> Prepared {
          if constexpr (Preparable<T, Given>) {
            return prepare(given);
          } else {
            throw Error(ErrorCode::internal, "no kernel for " + name_of(operation));
          }
        },
        operation);
  };
  return preparation.program.dtype() == DType::float64 ? with(Prepare<double>{preparation})
                                                       : with(Prepare<float>{preparation});
}

bool is_from_host(const Tensor& tensor) {
  const bool given = tensor.role == TensorRole::input || tensor.role == TensorRole::target;
  return given && tensor.alias == no_tensor;
}

class CudaProgram final : public StreamProgram {
 public:
  CudaProgram(const Program& program, int layers, int parameters, const std::shared_ptr<Stream>& stream)
      : stream_(stream), tensors_(program.tensors.size()), pointers_(program.tensors.size(), nullptr) {
    places_ = {nullptr, layers, parameters};
    measured_ = Array<double>(*stream, places_.count());
    fetched_ = PinnedArray<double>(*stream, places_.count());
    places_.begin = measured_.data();
    outputs_ = std::make_unique<OutputHistograms>(*stream, layers);
    for (std::size_t id = 0; id < program.tensors.size(); ++id) {
      const Tensor& tensor = program.tensors[id];
      tensors_[static_cast<std::size_t>(program.root(static_cast<TensorId>(id)))].aliases.push_back(id);
      tensors_[id].bytes = static_cast<std::size_t>(bytes_of(tensor));
      // Bound in every step, where nothing may be allocated.
      tensors_[id].is_given = is_from_host(tensor);
      if (tensors_[id].is_given) stage(tensors_[id]);
    }
    Preparation preparation{program, pointers_, *stream, places_};
    products_ = preparation.products;
    for (const Step& step : program.steps) {
      steps_.push_back({step.section,
                        prepare(step.operation, preparation),
                        {},
                        is_loss(step.operation),
                        std::holds_alternative<MergeMeasurements>(step.operation)});
      steps_.back().observations = observations_in(step.operation);
      ++preparation.step;
    }
    for (Section section : {Section::forward, Section::loss, Section::backward, Section::state}) {
      add_run(program, section, section);
    }
    add_run(program, Section::forward, Section::backward);  // the last one, see run_phases
    for (const Phase& phase : program.phases) first_steps_.push_back(phase.first);
    if (program.phases.empty()) {
      for (std::size_t i = 0; i < program.steps.size(); ++i) first_steps_.push_back(i);
    }
    first_steps_.push_back(program.steps.size());
    measurements_.layers.resize(static_cast<std::size_t>(layers));
    measurements_.gradient_squares.resize(static_cast<std::size_t>(parameters));
  }

  void bind(TensorId id, void* data) override {
    TensorMemory& tensor = tensors_[static_cast<std::size_t>(id)];
    tensor.host = nullptr;
    const bool is_owned = stream_->owns(data);
    // Rows that were given need not begin where libraries take 16 bytes at once.
    const bool is_apart = tensor.is_given && reinterpret_cast<std::uintptr_t>(data) % 16 != 0;
    if (data != nullptr && (!is_owned || is_apart)) {
      if (tensor.staging.data() == nullptr) stage(tensor);
      tensor.host = data;
      data = tensor.staging.data();
    }
    for (std::size_t alias : tensor.aliases) pointers_[alias] = data;
  }

  void* bind_own(TensorId id) override {
    TensorMemory& tensor = tensors_[static_cast<std::size_t>(id)];
    if (tensor.staging.data() == nullptr) stage(tensor);
    tensor.host = nullptr;
    for (std::size_t alias : tensor.aliases) pointers_[alias] = tensor.staging.data();
    return tensor.staging.data();
  }
  std::size_t bytes(TensorId id) const override { return tensors_[static_cast<std::size_t>(id)].bytes; }
  const PointerTable& pointers() const override { return pointers_; }
  const MeasuredPlaces& places() const override { return places_; }

  void launch(Section first, Section last, const RunContext& context) noexcept override {
    products_->begin_run();
    for (const PreparedStep& step : steps_) {
      if (step.section >= first && step.section <= last) step.operation->run(context);
    }
  }
  void collect(const double* fetched, Measurements& measurements) const override {
    collect(runs_.back(), fetched, measurements);
  }

  void run(Section first, Section last, const RunContext& context, Worker&) noexcept override {
    for (const Run& run : runs_) {
      if (run.first == first && run.last == last) this->run(run, context);
    }
  }

  void run_phases(std::size_t begin, std::size_t end, const RunContext& context, Worker&) noexcept override {
    const Run& all = runs_.back();
    set(context);
    if (begin == 0) {
      upload(all);
      products_->begin_run();
    }
    const RunContext own = outputs_->begin(context, begin == 0);
    for (std::size_t i = first_steps_[begin]; i < first_steps_[end]; ++i) steps_[i].operation->run(own);
  }
  void collect() noexcept override { finish(runs_.back()); }

  Meeting* meeting(std::size_t step) override { return steps_[step].operation->meeting(); }

  double weight_of_rows() const noexcept override {
    double weight = 0;
    upload(runs_.back());
    for (const PreparedStep& step : steps_) {
      if (step.section == Section::loss) weight += step.operation->weight_of_rows();
    }
    return weight;
  }

  const Measurements& measurements() const override { return measurements_; }

  std::vector<std::string> engines() const override {
    std::vector<std::string> names;
    for (const PreparedStep& step : steps_) names.push_back(step.operation->engine());
    return names;
  }

 private:
  struct TensorMemory {
    std::vector<std::size_t> aliases;  // all that share the memory, of the one that owns it
    std::size_t bytes = 0;
    Array<std::byte> staging;  // the place on the device of memory of the host
    void* host = nullptr;      // or, of a tensor that is given, of the device
    bool is_given = false;
  };
  struct PreparedStep {
    Section section;
    Prepared operation;
    std::vector<Observation> observations;
    bool is_loss;
    bool merges;  // what ranks have measured
  };
  // What is run in one go: a section, or all that compute loss and gradient.
  struct Run {
    Section first;
    Section last;
    std::vector<std::size_t> reads;   // tensors that it finds written
    std::vector<std::size_t> writes;  // and those that it leaves
  };

  static bool is_loss(const Operation& operation) {
    return std::holds_alternative<SoftmaxCrossEntropy>(operation) ||
           std::holds_alternative<ElementwiseLoss>(operation);
  }

  void stage(TensorMemory& tensor) { tensor.staging = Array<std::byte>(*stream_, tensor.bytes); }

  void add_run(const Program& program, Section first, Section last) {
    std::set<std::size_t> reads;
    std::set<std::size_t> writes;
    const auto root = [&](TensorId id) { return static_cast<std::size_t>(program.root(id)); };
    for (const Step& step : program.steps) {
      if (step.section < first || step.section > last) continue;
      for (TensorId id : inputs_of(step.operation)) {
        if (writes.count(root(id)) == 0) reads.insert(root(id));
      }
      for (TensorId id : outputs_of(step.operation)) writes.insert(root(id));
    }
    runs_.push_back({first, last, {reads.begin(), reads.end()}, {writes.begin(), writes.end()}});
  }

  void set(const RunContext& context) noexcept {
    set_context(*stream_, {context.seed, context.step, context.first_row, context.batch_weight, 1});
  }

  void run(const Run& run, const RunContext& context) noexcept {
    if (!context.same_inputs) upload(run);
    set(context);
    launch(run.first, run.last, outputs_->begin(context, true));
    finish(run);
  }

  void upload(const Run& run) const noexcept {
    for (std::size_t id : run.reads) {
      const TensorMemory& tensor = tensors_[id];
      if (tensor.host == nullptr) continue;
      if (stream_->owns(tensor.host)) {
        stream_->copy(tensor.staging.data(), tensor.host, tensor.bytes);
      } else {
        stream_->upload(tensor.staging.data(), tensor.host, tensor.bytes);
      }
    }
  }

  // One stop: what was measured comes with what the caller wants to see.
  void finish(const Run& run) noexcept {
    for (std::size_t id : run.writes) {
      const TensorMemory& tensor = tensors_[id];
      if (tensor.host != nullptr) stream_->download(tensor.host, tensor.staging.data(), tensor.bytes);
    }
    stream_->download(fetched_.data(), measured_.data(), measured_.bytes());
    stream_->synchronize();
    outputs_->finish();
    collect(run, fetched_.data(), measurements_);
    // Whoever trains stops; the reason follows when the team has ended.
    if (stream_->failed()) measurements_.loss = std::numeric_limits<double>::quiet_NaN();
  }

  // What those operations have measured.
  void collect(const Run& run, const double* fetched, Measurements& measurements) const noexcept {
    const MeasuredPlaces places{const_cast<double*>(fetched), places_.layers, places_.parameters};
    for (const PreparedStep& step : steps_) {
      if (step.section < run.first || step.section > run.last) continue;
      for (const Observation& observation : step.observations) {
        if (observation.layer >= 0) {
          const double* moments = places.layer(observation.layer);
          measurements.layers[static_cast<std::size_t>(observation.layer)] = {moments[0], moments[1],
                                                                              moments[2]};
        }
        if (observation.parameter >= 0) {
          measurements.gradient_squares[static_cast<std::size_t>(observation.parameter)] =
              *places.parameter(observation.parameter);
        }
      }
      if (step.merges) merge_measurements(*step.operation, measurements);
      if (!step.is_loss) continue;
      const double* loss = places.loss();
      measurements.loss = loss[0];
      measurements.weight = loss[1];
      measurements.correct = static_cast<std::int64_t>(loss[2]);
      measurements.correct_top5 = static_cast<std::int64_t>(loss[3]);
    }
  }

  std::shared_ptr<Stream> stream_;
  std::vector<TensorMemory> tensors_;
  PointerTable pointers_;
  MeasuredPlaces places_;
  Array<double> measured_;
  PinnedArray<double> fetched_;
  std::unique_ptr<OutputHistograms> outputs_;
  std::shared_ptr<ProductMemory> products_;
  std::vector<PreparedStep> steps_;
  std::vector<Run> runs_;
  std::vector<std::size_t> first_steps_;  // of each phase, and the end
  Measurements measurements_;
};

}  // namespace

bool computes(const Operation& operation) {
  return std::visit([]<typename Given>(const Given&) { return Preparable<float, Given>; }, operation);
}

double bytes_beside(const Program& program) {
  double bytes = 0;
  for (const Tensor& tensor : program.tensors) {
    if (is_from_host(tensor)) bytes += bytes_of(tensor);
  }
  return bytes;
}

std::unique_ptr<PreparedProgram> prepare_program(const Program& program, int layers, int parameters,
                                                 const std::shared_ptr<Stream>& stream) {
  return std::make_unique<CudaProgram>(program, layers, parameters, stream);
}

}  // namespace ravine::cuda
