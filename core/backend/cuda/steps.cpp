#include "backend/cuda/steps.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "backend/cuda/accumulation.h"
#include "backend/cuda/program.h"
#include "backend/cuda/queue.h"
#include "backend/cuda/step_kernels.h"
#include "backend/cuda/update.h"

namespace ravine::cuda {
namespace {

// Of the rows of a group that come from the host; and steps of a group, however small they are.
constexpr std::int64_t bytes_of_group = std::int64_t{32} << 20;
constexpr std::int64_t steps_of_group = 512;
// Requests that an update has steps for: an epoch ends with a smaller batch, a training may have an average.
constexpr std::size_t most_requests = 4;

StreamProgram& program_of(const StepRequest::Part& part) {
  return static_cast<StreamProgram&>(*part.program);
}

}  // namespace

class CudaSteps final : public PreparedSteps {
 public:
  CudaSteps(const StepRequest& request, StreamUpdate& update, const std::shared_ptr<Stream>& stream)
      : stream_(stream),
        request_(request),
        update_(update),
        gradients_(static_cast<StreamAccumulation&>(*request.gradients)),
        average_(static_cast<StreamAverage*>(request.average)),
        average_place_(average_ == nullptr ? nullptr : average_->place()),
        measured_(program_of(request.parts.front()).places()),
        layers_(*stream, update.segments()),
        uploads_(*stream),
        downloads_(*stream) {
    control_ = Array<StepControl>(*stream, 1);
    arrived_ = Array<std::uint32_t>(*stream, 1);
    place_ = {control_.data(), static_cast<std::int64_t>(update.step_bytes()), nullptr};
    for (const StepRequest::Part& part : request.parts) programs_.push_back(&program_of(part));
    std::int64_t bytes = 0;
    const StepRequest::Part& first = request.parts.front();
    for (std::size_t i = 0; i < batch_arrays; ++i) {
      if (first.tensors[i] == no_tensor) continue;
      row_bytes_[i] = static_cast<std::int64_t>(programs_.front()->bytes(first.tensors[i])) / first.rows;
      bytes += request.batch * row_bytes_[i];
    }
    most_ = std::clamp<std::int64_t>(bytes_of_group / bytes, 1, steps_of_group);
    if (request.parts.size() > 1) {
      merged_ = Array<double>(*stream, measured_.count());
      measured_.begin = merged_.data();
      if (request.state != nullptr) kept_state_ = Array<std::byte>(*stream, request.state->bytes());
    }
    recorded_ = {measured_.begin, static_cast<std::int64_t>(measured_.count()), gradients_.sums().of_slices,
                 update.sums().of_slices, static_cast<std::int64_t>(update.segments().size())};
    for (auto& slot : slots_) slot = std::make_unique<Slot>(*this);
  }

  // The average is known by where it lies: another one there is the same to the device.
  bool serves(const StepRequest& request) const {
    return request.parts == request_.parts && request.batch == request_.batch &&
           request.gradients == request_.gradients && request.state == request_.state &&
           average_place_ ==
               (request.average == nullptr ? nullptr : static_cast<StreamAverage*>(request.average)->place());
  }

  void bind(const StepRequest& request) {
    average_ = static_cast<StreamAverage*>(request.average);
    taken_.clear();
    std::int64_t first_row = 0;
    for (const StepRequest::Part& part : request.parts) {
      TakenRows taken{{}, request.batch, first_row, part.rows};
      for (std::size_t i = 0; i < batch_arrays; ++i) {
        if (part.tensors[i] == no_tensor) continue;
        void* to = program_of(part).bind_own(part.tensors[i]);
        taken.fields[i] = {static_cast<std::byte*>(to), row_bytes_[i]};
      }
      taken_.push_back(taken);
      first_row += part.rows;
    }
    // What a graph does is fixed by where the tensors lie.
    std::vector<PointerTable> pointers;
    for (const StreamProgram* program : programs_) pointers.push_back(program->pointers());
    if (pointers == pointers_) return;
    pointers_ = std::move(pointers);
    graphs_.clear();
  }

  std::int64_t most() const override { return most_; }

  void begin() override {
    is_first_ = true;
    under_way_ = 0;
    forms_.clear();
  }

  void add(const StepSettings& settings) override {
    const auto bytes = static_cast<std::size_t>(place_.stride);
    std::byte* to = slots_[next_]->numbers_on_host.data() + forms_.size() * bytes;
    std::memcpy(to, update_.step_data(), bytes);
    StepNumbers numbers{};
    std::memcpy(&numbers, to, sizeof(numbers));
    const RunContext& context = settings.context;
    numbers.seed = context.seed;
    numbers.step = context.step;
    numbers.first_row = context.first_row;
    numbers.batch_weight = context.batch_weight;
    numbers.clip_norm = settings.regularization.clip_norm;
    numbers.clip_layer_norm = settings.regularization.clip_layer_norm;
    numbers.average_rate = settings.average_rate;
    std::memcpy(to, &numbers, sizeof(numbers));
    forms_.push_back({context.observe, settings.regularization.max_norm > 0});
  }

  void launch(const StepRows& rows) override {
    stream_->activate();
    Slot& slot = *slots_[next_];
    const std::size_t count = forms_.size();
    StepControl control{};
    control.numbers = slot.numbers.data();
    control.record = slot.record.data();
    control.indices = rows.indices;
    uploads_.upload(slot.numbers.data(), slot.numbers_on_host.data(),
                    count * static_cast<std::size_t>(place_.stride));
    if (rows.on_device) {
      std::copy(rows.arrays.begin(), rows.arrays.end(), control.rows);
    } else {
      slot.upload(rows, static_cast<std::int64_t>(count), *this, control);
    }
    slot.uploaded.record(uploads_);
    slot.uploaded.wait_on_stream();
    begin_group(*stream_, control, is_first_, control_.data());
    is_first_ = false;
    for (const Form& form : forms_) graph_of(form).run([&] { launch_step(form); });
    slot.computed.record();
    downloads_.wait_for(slot.computed);
    downloads_.download(slot.record_on_host.data(), slot.record.data(),
                        sizeof(RecordHead) + count * row_of_record());
    slot.recorded.record(downloads_);
    forms_.clear();
    next_ = 1 - next_;
    ++under_way_;
  }

  GroupResult wait() override {
    stream_->activate();
    // The older one of two is where the next group would go.
    shown_ = slots_[under_way_ == 2 ? next_ : 1 - next_].get();
    --under_way_;
    shown_->recorded.wait_on_host();
    stream_->rethrow();
    RecordHead head{};
    std::memcpy(&head, shown_->record_on_host.data(), sizeof(head));
    return {static_cast<std::int64_t>(head.steps), static_cast<GroupEnd>(static_cast<int>(head.end))};
  }

  void read(std::int64_t step, StepResult& result) const override {
    const auto* row = reinterpret_cast<const double*>(shown_->record_on_host.data() + sizeof(RecordHead)) +
                      step * recorded_.count();
    Measurements& measured = result.measured;
    measured.layers.resize(static_cast<std::size_t>(measured_.layers));
    measured.gradient_squares.resize(static_cast<std::size_t>(measured_.parameters));
    programs_.front()->collect(row, measured);
    const double* squares = row + recorded_.measured_count;
    const auto take = [&](std::vector<double>& to) {
      to.assign(squares, squares + recorded_.segments);
      squares += recorded_.segments;
    };
    take(measured.gradient_squares);
    take(result.weight_squares);
    take(result.update_squares);
  }

 private:
  // What decides which kernels a step has.
  struct Form {
    bool observe;
    bool limits_units;
    auto operator<=>(const Form&) const = default;
  };

  // What belongs to a group, while the other one is made or measured.
  struct Slot {
    explicit Slot(CudaSteps& steps)
        : numbers_on_host(*steps.stream_, static_cast<std::size_t>(steps.most_ * steps.place_.stride)),
          numbers(*steps.stream_, numbers_on_host.size()),
          record(*steps.stream_,
                 sizeof(RecordHead) + static_cast<std::size_t>(steps.most_) * steps.row_of_record()),
          record_on_host(*steps.stream_, record.size()),
          uploaded(*steps.stream_),
          computed(*steps.stream_),
          recorded(*steps.stream_) {}

    // By way of pinned memory, of which as much is taken as groups need at most, when the first one does.
    void upload(const StepRows& given, std::int64_t count, CudaSteps& steps, StepControl& control) {
      for (std::size_t i = 0; i < batch_arrays; ++i) {
        const auto bytes = static_cast<std::size_t>(steps.request_.batch * steps.row_bytes_[i]);
        if (bytes == 0) continue;
        if (rows[i].data() == nullptr) {
          rows[i] = Array<std::byte>(*steps.stream_, static_cast<std::size_t>(steps.most_) * bytes);
          rows_on_host[i] = PinnedArray<std::byte>(*steps.stream_, rows[i].size());
        }
        const std::size_t all = static_cast<std::size_t>(count) * bytes;
        std::memcpy(rows_on_host[i].data(), given.arrays[i], all);
        steps.uploads_.upload(rows[i].data(), rows_on_host[i].data(), all);
        control.rows[i] = rows[i].data();
      }
    }

    PinnedArray<std::byte> numbers_on_host;
    Array<std::byte> numbers;
    std::array<PinnedArray<std::byte>, batch_arrays> rows_on_host;
    std::array<Array<std::byte>, batch_arrays> rows;
    Array<std::byte> record;
    PinnedArray<std::byte> record_on_host;
    Event uploaded;
    Event computed;
    Event recorded;
  };

  std::size_t row_of_record() const { return static_cast<std::size_t>(recorded_.count()) * sizeof(double); }

  LaunchGraph& graph_of(const Form& form) {
    const auto found = graphs_.find(form);
    if (found != graphs_.end()) return *found->second;
    return *graphs_.emplace(form, std::make_unique<LaunchGraph>(*stream_)).first->second;
  }

  void launch_step(const Form& form) noexcept {
    RunContext context;  // the rest is on the device
    context.observe = form.observe;
    context.squares = false;
    Buffer* state = request_.state;
    const bool in_parts = programs_.size() > 1;
    const auto state_bytes = static_cast<std::int64_t>(kept_state_.bytes());
    update_.launch_look_ahead(place_);
    if (in_parts && state != nullptr) keep_state(*stream_, state->data(), kept_state_.data(), state_bytes);
    for (std::size_t part = 0; part < programs_.size(); ++part) {
      StreamProgram& program = *programs_[part];
      take_rows(*stream_, place_, taken_[part]);
      program.launch(Section::forward, Section::backward, context);
      if (!in_parts) continue;
      if (state != nullptr) program.launch(Section::state, Section::state, context);
      const MeasuredPlaces& measured = program.places();
      merge_part(*stream_, {measured, measured_, taken_[part].first_row, taken_[part].rows, form.observe});
      if (part + 1 < programs_.size()) gradients_.launch_add({0, measured.loss() + 1}, part == 0);
    }
    if (in_parts) {
      gradients_.launch_finish({0, programs_.back()->places().loss() + 1}, {0, measured_.loss() + 1});
    } else {
      gradients_.launch_measure();
    }
    const ClippedLayers::Tables layers = layers_.tables();
    decide(*stream_, place_, measured_.loss(), gradients_.sums(), layers, arrived_.data());
    update_.launch(place_, layers.scales, form.limits_units);
    if (state != nullptr && in_parts) {
      restore_state(*stream_, place_, kept_state_.data(), state->data(), state_bytes);
    } else if (state != nullptr) {
      programs_.front()->launch(Section::state, Section::state, context);
    }
    if (average_ != nullptr) average_->launch(place_);
    const TileSums sums = update_.sums();
    finish_step(*stream_, place_, recorded_, form.limits_units ? nullptr : &sums, arrived_.data());
  }

  std::shared_ptr<Stream> stream_;
  StepRequest request_;
  StreamUpdate& update_;
  StreamAccumulation& gradients_;
  StreamAverage* average_;
  const void* average_place_;
  std::vector<StreamProgram*> programs_;  // of the parts
  std::array<std::int64_t, batch_arrays> row_bytes_{};
  std::int64_t most_ = 1;
  Array<StepControl> control_;
  Array<std::uint32_t> arrived_;  // blocks of a kernel
  StepPlace place_;
  MeasuredPlaces measured_;  // of the whole batch
  Array<double> merged_;
  Array<std::byte> kept_state_;
  ClippedLayers layers_;
  RecordedStep recorded_{};
  std::vector<TakenRows> taken_;
  std::vector<PointerTable> pointers_;  // that the graphs were made with
  CopyQueue uploads_;
  CopyQueue downloads_;
  std::map<Form, std::unique_ptr<LaunchGraph>> graphs_;
  std::array<std::unique_ptr<Slot>, 2> slots_;
  std::size_t next_ = 0;     // slot
  int under_way_ = 0;        // groups
  bool is_first_ = true;     // of the groups since `begin`
  std::vector<Form> forms_;  // of the steps of the next group
  Slot* shown_ = nullptr;    // of the group that was waited for
};

StepsOfUpdate::StepsOfUpdate() = default;
StepsOfUpdate::~StepsOfUpdate() = default;

PreparedSteps* StepsOfUpdate::find(const StepRequest& request, StreamUpdate& update,
                                   const std::shared_ptr<Stream>& stream) {
  const auto found =
      std::find_if(steps_.begin(), steps_.end(), [&](const auto& steps) { return steps->serves(request); });
  if (found == steps_.end()) {
    if (steps_.size() == most_requests) steps_.erase(steps_.begin());
    steps_.push_back(std::make_unique<CudaSteps>(request, update, stream));
    steps_.back()->bind(request);
    return steps_.back().get();
  }
  (*found)->bind(request);
  return found->get();
}

}  // namespace ravine::cuda
