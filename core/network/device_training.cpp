#include "network/device_training.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "network/training_loop.h"
#include "network/weight_average.h"

namespace ravine {
namespace {

// So long a group takes, where there is no other limit: the host answers several times in a time budget, and
// has little to do for each step.
constexpr double group_seconds = 5e-3;
constexpr double share_of_budget = 0.1;

}  // namespace

bool DeviceTraining::may_try(const Network& network, const Optimizer& optimizer) {
  const Ranks& ranks = network.options_.ranks;
  return network.options_.compute.device_steps && network.backend_->device().kind != DeviceKind::cpu &&
         ranks.count() == 1 && !ranks.work_together() && network.merge_ == nullptr &&
         !optimizer.is_full_batch();
}

DeviceTraining::DeviceTraining(Network& network, Optimizer& optimizer, const TrainingChunk& chunk)
    : network_(network),
      optimizer_(optimizer),
      chunk_(chunk),
      rows_(chunk, network.graph_, *network.loss_, network.options_.dtype),
      start_(Clock::now()) {
  result_.loss = chunk.loss_so_far;
  result_.weight = chunk.weight_so_far;
}

DeviceTraining::~DeviceTraining() {
  for (ExecutionPlan* plan : plans_) plan->bind_parameters(nullptr);
}

TrainingResult DeviceTraining::run() {
  while (result_.steps < chunk_.steps) {
    const std::int64_t alone = steps_alone();
    if (alone > 0 && steps_ == nullptr) steps_ = prepare();
    if (!(alone > 0 && steps_ != nullptr ? run_alone(alone) : run_loop())) break;
  }
  return result_;
}

bool DeviceTraining::is_distributed(std::int64_t ahead) const {
  return chunk_.statistics == StatisticsLevel::full && chunk_.full_every > 0 &&
         (optimizer_.step_count() + 1 + ahead) % chunk_.full_every == 0;
}

std::int64_t DeviceTraining::steps_alone() const {
  std::int64_t alone = 0;
  while (result_.steps + alone < chunk_.steps && !is_distributed(alone)) ++alone;
  return alone;
}

bool DeviceTraining::is_out_of_time() const {
  return chunk_.budget_seconds > 0 && result_.steps + ahead_ > 0 &&
         seconds_since(start_) > chunk_.budget_seconds;
}

// Plans and bindings as in LocalGradient. Null where the update, or a program, needs the host.
PreparedSteps* DeviceTraining::prepare() {
  const std::int64_t rows_of_part =
      chunk_.micro_batch > 0 ? std::min(chunk_.micro_batch, chunk_.batch) : chunk_.batch;
  StepRequest request;
  request.batch = chunk_.batch;
  plans_.clear();
  for (std::int64_t row = 0; row < chunk_.batch; row += rows_of_part) {
    ExecutionPlan& plan = network_.plan(Mode::training, std::min(rows_of_part, chunk_.batch - row));
    plan.bind_output(nullptr);
    plan.bind_output_gradient(nullptr);
    plan.bind_parameters(optimizer_.look_ahead());
    plan.bind_input(nullptr);
    plan.bind_targets(nullptr, nullptr);
    plans_.push_back(&plan);
    request.parts.push_back({&plan.program(),
                             plan.batch_tensors(chunk_.weights != nullptr, chunk_.mixture.shares != nullptr),
                             plan.batch()});
    if (plan.changes_state()) request.state = network_.state_.get();
  }
  request.gradients = &network_.accumulation(request.parts.size() > 1);
  if (chunk_.average != nullptr) request.average = &chunk_.average->prepared();
  return optimizer_.prepared().steps(request);
}

// The loop does the rest of the chunk where the device does no step alone; else the next step.
bool DeviceTraining::run_loop() {
  const bool all = steps_ == nullptr && steps_alone() > 0;
  if (is_out_of_time()) return false;
  // The loop would drop what others have not taken in yet.
  if (result_.steps > 0 && is_distributed(0) && network_.distributions().is_full()) return false;
  TrainingChunk rest = chunk_;
  const std::int64_t row = result_.steps * chunk_.batch;
  const auto [inputs, targets, weights, second_labels, shares] = rows_.from(row);
  rest.inputs = inputs;
  rest.targets = targets;
  rest.weights = weights;
  rest.mixture = {static_cast<const std::int32_t*>(second_labels), shares};
  rest.steps = all ? chunk_.steps - result_.steps : 1;
  if (chunk_.schedule != nullptr) {
    rest.schedule = chunk_.schedule + result_.steps * static_cast<std::int64_t>(chunk_.scheduled.size());
  }
  if (chunk_.budget_seconds > 0) {
    rest.budget_seconds = std::max(chunk_.budget_seconds - seconds_since(start_), 1e-9);
  }
  rest.loss_so_far = result_.loss;
  rest.weight_so_far = result_.weight;
  const TrainingResult done = TrainingLoop(network_, optimizer_, rest).run();
  steps_ = nullptr;  // it has bound the plans to other memory
  result_.steps += done.steps;
  result_.loss = done.loss;
  result_.weight = done.weight;
  result_.correct += done.correct;
  result_.rows += done.rows;
  result_.trouble = done.trouble;
  result_.trouble_layer = done.trouble_layer;
  result_.trouble_rank = done.trouble_rank;
  return done.steps == rest.steps;
}

bool DeviceTraining::run_alone(std::int64_t count) {
  const std::int64_t end = result_.steps + count;
  GroupEnd ended = GroupEnd::all;
  steps_->begin();
  ahead_ = 0;
  last_group_ = 0;
  group_start_ = Clock::now();
  bool out_of_time = false;
  const auto may_launch = [&] {
    out_of_time = out_of_time || is_out_of_time();
    return ended == GroupEnd::all && !out_of_time && result_.steps + ahead_ < end;
  };
  while (true) {
    while (under_way_ < 2 && may_launch()) launch(group_size(end - result_.steps - ahead_));
    if (under_way_ == 0) break;
    const GroupEnd end_of_group = collect();
    if (ended == GroupEnd::all) ended = end_of_group;  // those behind it have done nothing
  }
  // As a loop would leave them that had begun no later step.
  if (result_.steps > 0) set_scheduled(result_.steps - 1);
  switch (ended) {
    case GroupEnd::gradient:
      return run_loop();  // does the step again and says what is wrong
    case GroupEnd::weights:
      return result_.trouble.empty();
    default:
      return !out_of_time;
  }
}

std::int64_t DeviceTraining::group_size(std::int64_t left) const {
  const double known = steps_->step_seconds;
  const double target = chunk_.budget_seconds > 0
                            ? std::min(group_seconds, share_of_budget * chunk_.budget_seconds)
                            : group_seconds;
  std::int64_t size = last_group_ > 0 ? 2 * last_group_ : 1;
  if (known > 0) size = std::max<std::int64_t>(1, std::llround(std::min(target / known, 1e6)));
  return std::min({size, left, steps_->most()});
}

void DeviceTraining::set_scheduled(std::int64_t step) {
  const std::size_t settings = chunk_.scheduled.size();
  for (std::size_t i = 0; i < settings; ++i) {
    optimizer_.set(chunk_.scheduled[i], chunk_.schedule[static_cast<std::size_t>(step) * settings + i]);
  }
}

void DeviceTraining::launch(std::int64_t count) {
  std::vector<Launched>& group = launched_[under_way_++];
  group.clear();
  const std::int64_t first = result_.steps + ahead_;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t done = optimizer_.step_count() + ahead_ + i;
    set_scheduled(first + i);
    optimizer_.prepared().begin(optimizer_.rule().values, done + 1, optimizer_.regularization());
    const bool recorded = chunk_.record_every > 0 && (done + 1) % chunk_.record_every == 0;
    const RunContext context{.seed = network_.options_.seed,
                             .step = static_cast<std::uint32_t>(done),
                             .observe = recorded && chunk_.statistics != StatisticsLevel::off,
                             .squares = false};
    const double rate = chunk_.average == nullptr ? 1 : chunk_.average->rate(ahead_ + i);
    steps_->add({context, optimizer_.regularization(), rate});
    group.push_back({optimizer_.learning_rate(), recorded});
  }
  steps_->launch({rows_.from(first * chunk_.batch), chunk_.on_device, nullptr});
  ahead_ += count;
  last_group_ = count;
}

GroupEnd DeviceTraining::collect() {
  const GroupResult group = steps_->wait();
  std::vector<Launched>& launched = launched_.front();
  if (group.steps > 0) {
    steps_->step_seconds = seconds_since(group_start_) / static_cast<double>(group.steps);
  }
  group_start_ = Clock::now();
  for (std::int64_t step = 0; step < group.steps; ++step) {
    steps_->read(step, measured_);
    count_step(launched[static_cast<std::size_t>(step)]);
  }
  if (group.end == GroupEnd::weights) {
    steps_->read(group.steps, measured_);
    if (!has_broken_weights()) count_step(launched[static_cast<std::size_t>(group.steps)]);
  }
  ahead_ = group.end == GroupEnd::all ? ahead_ - static_cast<std::int64_t>(launched.size()) : 0;
  std::swap(launched_[0], launched_[1]);
  --under_way_;
  return group.end;
}

// Infinite weights may hide behind an activation that levels off; the update has seen them. Of large finite
// ones the squares overflow too.
bool DeviceTraining::has_broken_weights() {
  const std::vector<double>& squares = measured_.weight_squares;
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (std::isfinite(squares[i]) || network_.is_finite(i)) continue;
    std::tie(result_.trouble, result_.trouble_layer) = network_.named(i);
    return true;
  }
  return false;
}

void DeviceTraining::count_step(const Launched& launched) {
  const Measurements& measured = measured_.measured;
  optimizer_.end();
  if (chunk_.average != nullptr) chunk_.average->end();
  network_.step_number_ = static_cast<std::uint32_t>(optimizer_.step_count());
  ++result_.steps;
  result_.loss += measured.loss;
  result_.weight += measured.weight;
  result_.correct += measured.correct;
  result_.rows += chunk_.batch;
  if (!launched.recorded) return;
  double squares = 0;
  for (double sum : measured.gradient_squares) squares += sum;
  network_.ring_.record({optimizer_.step_count(), chunk_.batch, launched.learning_rate, std::sqrt(squares),
                         chunk_.statistics != StatisticsLevel::off},
                        measured, measured_.weight_squares, measured_.update_squares);
}

}  // namespace ravine
