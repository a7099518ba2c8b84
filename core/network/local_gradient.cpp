#include "network/local_gradient.h"

#include <algorithm>
#include <cmath>

namespace ravine {
namespace {

void copy(std::vector<std::byte>& to, Buffer& from) { from.read(0, to.data(), to.size()); }

void copy(Buffer& to, const std::vector<std::byte>& from) { to.write(0, from.data(), from.size()); }

}  // namespace

LocalGradient::LocalGradient(Network& network, const TrainingChunk& chunk)
    : network_(network),
      chunk_(chunk),
      rows_(chunk, network.graph_, *network.loss_, network.options_.dtype),
      rows_of_part_(chunk.micro_batch > 0 ? std::min(chunk.micro_batch, chunk.batch) : chunk.batch),
      parts_((chunk.batch + rows_of_part_ - 1) / rows_of_part_),
      first_(network.plan(Mode::training, rows_of_part_)),
      last_(network.plan(Mode::training, chunk.batch - (parts_ - 1) * rows_of_part_)),
      merged_(network.graph_.layers.size(), network.graph_.parameters.size()) {
  for (ExecutionPlan* plan : {&first_, &last_}) {
    plan->bind_output(nullptr);
    plan->bind_output_gradient(nullptr);
  }
  bind_parameters(nullptr);
  if (parts_ == 1) {
    if (network.backend_->device().kind != DeviceKind::cpu) squares_ = &network.accumulation(false);
    return;
  }
  sum_ = &network.accumulation();
  if (first_.changes_state()) {
    state_before_.resize(network.state_->bytes());
    state_after_.resize(network.state_->bytes());
  }
}

LocalGradient::~LocalGradient() { bind_parameters(nullptr); }

void LocalGradient::bind_parameters(const void* parameters) {
  first_.bind_parameters(parameters);
  last_.bind_parameters(parameters);
}

void LocalGradient::begin(std::int64_t step, const RunContext& context) {
  step_ = step;
  context_ = context;
  bind(0);
}

void LocalGradient::bind(std::int64_t part) {
  part_ = part;
  bound_anew_ = true;
  rows_.bind(plan(), row());
}

bool LocalGradient::compute(Worker& worker) noexcept {
  if (parts_ > 1) return compute_parts(worker);
  RunContext context = context_;
  context.same_inputs = !bound_anew_;
  const bool finite = run(first_, context, worker);  // with a barrier at its end
  if (worker.index == 0) bound_anew_ = false;
  if (!finite) return false;
  if (squares_ == nullptr) return true;
  squares_->measure(worker);
  merged_.whole = first_.program().measurements();
  merged_.whole.gradient_squares = squares_->squares();
  if (network_.merge_ != nullptr) network_.merge_->squares(merged_.whole.gradient_squares);
  return true;
}

// Every worker sees the same measurements and takes the same way.
bool LocalGradient::run(ExecutionPlan& plan, const RunContext& context, Worker& worker) noexcept {
  PreparedProgram& program = plan.program();
  program.run(Section::forward, Section::backward, context, worker);
  return std::isfinite(program.measurements().loss);
}

bool LocalGradient::compute_parts(Worker& worker) noexcept {
  const bool one = worker.index == 0;
  Buffer& state = *network_.state_;
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
      if (part == 0) merged_.clear();
      merged_.add(measured, plan.batch());
    }
    // The parts of a batch count by the weight of their rows: each gradient is that of its part's mean loss.
    if (part + 1 < parts_) sum_->add(measured.weight, part == 0, worker);
  }
  if (one) {
    copy(state_after_, state);
    copy(state, state_before_);
  }
  worker.barrier();
  const double scale = merged_.whole.weight > 0 ? 1 / merged_.whole.weight : 0;
  sum_->finish(last_.program().measurements().weight, scale, worker);
  if (one) merged_.whole.gradient_squares = sum_->squares();
  if (one && network_.merge_ != nullptr) network_.merge_->squares(merged_.whole.gradient_squares);
  worker.barrier();
  return true;
}

Trouble LocalGradient::find_trouble() {
  const auto [what, layer] = network_.find_trouble(
      plan(), rows_.input(row()), context_.first_row + static_cast<std::uint32_t>(part_ * rows_of_part_));
  return {what, layer};
}

void LocalGradient::keep_state(Worker& worker) noexcept {
  if (!first_.changes_state()) return;
  if (parts_ == 1) return first_.program().run(Section::state, context_, worker);
  if (worker.index == 0) copy(*network_.state_, state_after_);
  worker.barrier();
}

}  // namespace ravine
