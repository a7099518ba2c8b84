#include "network/batch_gradient.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ravine {
namespace {

void copy(std::vector<std::byte>& to, const void* from) {
  if (!to.empty()) std::memcpy(to.data(), from, to.size());
}

void copy(void* to, const std::vector<std::byte>& from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace

BatchGradient::BatchGradient(Network& network, const TrainingChunk& chunk)
    : network_(network),
      chunk_(chunk),
      rows_of_part_(chunk.micro_batch > 0 ? std::min(chunk.micro_batch, chunk.batch) : chunk.batch),
      parts_((chunk.batch + rows_of_part_ - 1) / rows_of_part_),
      first_(network.plan(Mode::training, rows_of_part_)),
      last_(network.plan(Mode::training, chunk.batch - (parts_ - 1) * rows_of_part_)) {
  const auto element = static_cast<std::int64_t>(size_of(network.options_.dtype));
  input_bytes_ = network.graph_.input.elements() * element;
  target_bytes_ = network.loss_->target_kind() == TargetKind::labels
                      ? static_cast<std::int64_t>(sizeof(std::int32_t))
                      : network.graph_.output().elements() * element;
  for (ExecutionPlan* plan : {&first_, &last_}) {
    plan->bind_output(nullptr);
    plan->bind_output_gradient(nullptr);
  }
  bind_parameters(nullptr);
  if (parts_ == 1) return;
  sum_ = &network.accumulation();
  whole_.layers.resize(network.graph_.layers.size());
  whole_.gradient_squares.resize(network.graph_.parameters.size());
  if (first_.changes_state()) {
    state_before_.resize(network.state_->bytes());
    state_after_.resize(network.state_->bytes());
  }
}

BatchGradient::~BatchGradient() { bind_parameters(nullptr); }

void BatchGradient::bind_parameters(const void* parameters) {
  first_.bind_parameters(parameters);
  last_.bind_parameters(parameters);
}

const void* BatchGradient::input() const {
  const std::int64_t row = step_ * chunk_.batch + part_ * rows_of_part_;
  return static_cast<const std::byte*>(chunk_.inputs) + row * input_bytes_;
}

void BatchGradient::begin(std::int64_t step, const RunContext& context) {
  step_ = step;
  context_ = context;
  bind(0);
}

void BatchGradient::bind(std::int64_t part) {
  part_ = part;
  const std::int64_t row = step_ * chunk_.batch + part * rows_of_part_;
  plan().bind_input(input());
  const auto* weights = static_cast<const std::byte*>(chunk_.weights);
  plan().bind_targets(static_cast<const std::byte*>(chunk_.targets) + row * target_bytes_,
                      weights == nullptr
                          ? nullptr
                          : weights + row * static_cast<std::int64_t>(size_of(network_.options_.dtype)),
                      chunk_.mixture.from(row, network_.options_.dtype));
}

bool BatchGradient::compute(Worker& worker) noexcept {
  return parts_ == 1 ? run(first_, context_, worker) : compute_parts(worker);
}

// Every worker sees the same measurements and takes the same way.
bool BatchGradient::run(ExecutionPlan& plan, const RunContext& context, Worker& worker) noexcept {
  PreparedProgram& program = plan.program();
  program.run(Section::forward, Section::backward, context, worker);
  return std::isfinite(program.measurements().loss);
}

bool BatchGradient::compute_parts(Worker& worker) noexcept {
  const bool one = worker.index == 0;
  void* const state = network_.state_->data();
  RunContext context = context_;
  for (std::int64_t part = 0; part < parts_; ++part) {
    // Behind a barrier that all have passed: the last part's, or the caller's.
    if (one) bind(part);
    if (one && part == 0) copy(state_before_, state);
    worker.barrier();
    ExecutionPlan& plan = plan_of(part);
    const Measurements& measured = plan.program().measurements();
    context.first_row = context_.first_row + static_cast<std::uint32_t>(part * rows_of_part_);
    const bool finite = run(plan, context, worker) &&
                        std::all_of(measured.gradient_squares.begin(), measured.gradient_squares.end(),
                                    [](double squares) { return std::isfinite(squares); });
    if (!finite) {
      if (one) copy(state, state_before_);
      worker.barrier();
      return false;
    }
    if (plan.changes_state()) plan.program().run(Section::state, context, worker);
    if (one) {
      if (part == 0) merged_rows_ = 0;
      merge(measured, plan.batch());
    }
    // The parts of a batch count by the weight of their rows: each gradient is that of its part's mean loss.
    if (part + 1 < parts_) sum_->add(measured.weight, part == 0, worker);
  }
  if (one) {
    copy(state_after_, state);
    copy(state, state_before_);
  }
  worker.barrier();
  const double scale = whole_.weight > 0 ? 1 / whole_.weight : 0;
  sum_->finish(last_.program().measurements().weight, scale, worker);
  if (one) whole_.gradient_squares = sum_->squares();
  worker.barrier();
  return true;
}

// Moments by Chan, Golub and LeVeque (1983); every row has as many values as another.
void BatchGradient::merge(const Measurements& part, std::int64_t rows) noexcept {
  if (merged_rows_ == 0) {
    whole_.loss = whole_.weight = 0;
    whole_.correct = whole_.correct_top5 = 0;
    std::fill(whole_.layers.begin(), whole_.layers.end(), OutputMoments{});
  }
  merged_rows_ += rows;
  whole_.loss += part.loss;
  whole_.weight += part.weight;
  whole_.correct += part.correct;
  whole_.correct_top5 += part.correct_top5;
  const double share = static_cast<double>(rows) / static_cast<double>(merged_rows_);
  for (std::size_t i = 0; i < whole_.layers.size(); ++i) {
    OutputMoments& whole = whole_.layers[i];
    const OutputMoments& moments = part.layers[i];
    const double difference = moments.mean - whole.mean;
    whole.variance +=
        share * (moments.variance - whole.variance) + share * (1 - share) * difference * difference;
    whole.mean += share * difference;
    whole.zeros += share * (moments.zeros - whole.zeros);
  }
}

PreparedAccumulation& Network::accumulation() {
  if (accumulation_ == nullptr) {
    std::vector<BufferRange> ranges;
    for (const GraphParameter& parameter : graph_.parameters) {
      ranges.push_back({parameter.offset, parameter.offset + parameter.spec.shape.elements()});
    }
    accumulated_ = backend_->allocate(gradients_->bytes());
    accumulation_ =
        backend_->prepare_accumulation(options_.dtype, gradients_->data(), accumulated_->data(), ranges);
  }
  return *accumulation_;
}

void BatchGradient::keep_state(Worker& worker) noexcept {
  if (!first_.changes_state()) return;
  if (parts_ == 1) return first_.program().run(Section::state, context_, worker);
  if (worker.index == 0) copy(network_.state_->data(), state_after_);
  worker.barrier();
}

}  // namespace ravine
