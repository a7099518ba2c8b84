// The native training loop: many steps in one call, on one team of workers.
#include "network/training_loop.h"

#include <cmath>
#include <tuple>

#include "base/errors.h"
#include "network/device_training.h"
#include "network/distributed_gradient.h"
#include "network/local_gradient.h"
#include "network/local_updates.h"
#include "network/weight_average.h"

namespace ravine {

TrainingLoop::TrainingLoop(Network& network, Optimizer& optimizer, const TrainingChunk& chunk)
    : network_(network),
      optimizer_(optimizer),
      chunk_(chunk),
      gradient_(make_batch_gradient(network, chunk)),
      start_(Clock::now()) {
  result_.loss = chunk.loss_so_far;
  result_.weight = chunk.weight_so_far;
  gradient_->bind_parameters(optimizer.look_ahead());
  if (chunk.statistics != StatisticsLevel::full || chunk.full_every <= 0) return;
  distributions_ = &network.distributions();
  distributions_->take_back(optimizer.step_count() + 1);  // of a call that was broken off
  if (distributions_->is_full()) distributions_->drain();
}

TrainingResult TrainingLoop::run() {
  if (optimizer_.is_full_batch()) {
    try {
      run_full_batch();
    } catch (...) {
      give_up_step();
      network_.backend_->use_threads(network_.threads());
      throw;
    }
  } else {
    do {
      run_team();
    } while (next_team_);
  }
  network_.backend_->use_threads(network_.threads());
  if (!optimizer_.is_full_batch() && optimizer_.prepared().failed()) {
    give_up_step();
    optimizer_.prepared().rethrow();
  }
  if (not_finite_) {
    give_up_step();
    if (broken_weights_) {
      std::tie(result_.trouble, result_.trouble_layer) = network_.named(*broken_weights_);
    } else {
      const Trouble trouble = gradient_->find_trouble();
      result_.trouble = trouble.what;
      result_.trouble_layer = trouble.layer;
      result_.trouble_rank = trouble.rank;
    }
  }
  gradient_->finish(result_);
  return result_;
}

// What was recorded of a step that did not happen.
void TrainingLoop::give_up_step() {
  if (distributions_ != nullptr) distributions_->take_back(optimizer_.step_count() + 1);
}

void TrainingLoop::run_team() {
  network_.backend_->use_threads(network_.threads_.next());
  next_team_ = false;
  steps_before_team_ = result_.steps;
  team_start_ = Clock::now();
  network_.backend_->parallel([this](Worker& worker) { work(worker); });
  network_.threads_.record(seconds_since(team_start_), (result_.steps - steps_before_team_) * chunk_.batch);
}

void TrainingLoop::work(Worker& worker) noexcept {
  const bool first = worker.index == 0;
  while (true) {
    if (first) {
      next_team_ = result_.steps > steps_before_team_ && result_.steps < chunk_.steps && !not_finite_ &&
                   network_.threads_.is_trying() && network_.threads_.is_enough(seconds_since(team_start_));
      if (next_team_) {
        done_ = true;
      } else {
        begin_step();
      }
    }
    worker.barrier();
    if (done_) return;
    const bool distributed = distributed_;  // the first worker may be a step ahead below
    if (optimizer_.look_ahead() != nullptr) optimizer_.run_look_ahead(worker);
    if (!gradient_->compute(worker)) {
      if (first) not_finite_ = true;
      return;
    }
    if (first) {
      scale_gradient(gradient_->measured());
      // Not at the beginning of the step: others may still be at the average of the one before.
      if (chunk_.average != nullptr) chunk_.average->begin();
    }
    worker.barrier();
    if (not_finite_) return;
    if (distributed) record_gradient(worker);
    if (gradient_->has_rows()) optimizer_.run(worker);
    if (optimizer_.prepared().failed()) return;
    gradient_->keep_state(worker);
    if (!gradient_->after_update(optimizer_, worker)) {
      if (first) not_finite_ = true;
      return;
    }
    if (chunk_.average != nullptr) chunk_.average->run(worker);
    if (distributed) record_weights(worker);
    if (first) end_step(gradient_->measured());
  }
}

void TrainingLoop::begin_step() {
  const bool out_of_time =
      chunk_.budget_seconds > 0 && result_.steps > 0 && seconds_since(start_) > chunk_.budget_seconds;
  const std::int64_t number = optimizer_.step_count() + 1;
  distributed_ = distributions_ != nullptr && number % chunk_.full_every == 0;
  done_ = not_finite_ || result_.steps == chunk_.steps || out_of_time;
  if (!done_ && distributed_) done_ = gradient_->on_any_rank(distributions_->is_full());
  if (done_) return;
  if (network_.times_ != nullptr) step_start_ = Clock::now();
  const std::size_t settings = chunk_.scheduled.size();
  for (std::size_t i = 0; i < settings; ++i) {
    optimizer_.set(chunk_.scheduled[i],
                   chunk_.schedule[static_cast<std::size_t>(result_.steps) * settings + i]);
  }
  optimizer_.begin();
  recorded_ = chunk_.record_every > 0 && number % chunk_.record_every == 0;
  network_.step_number_ = static_cast<std::uint32_t>(optimizer_.step_count());
  RunContext context = network_.context(recorded_ && chunk_.statistics != StatisticsLevel::off);
  if (distributed_) {
    distributions_->begin();
    context.outputs = distributions_->outputs();
  }
  gradient_->begin(result_.steps, context);
}

void TrainingLoop::record_gradient(Worker& worker) noexcept {
  const std::int64_t number = optimizer_.step_count() + 1;
  if (worker.index == 0) gradient_->merge_outputs(*distributions_);
  worker.barrier();
  distributions_->record(DistributionKind::output, number, nullptr, worker);
  distributions_->record(DistributionKind::gradient, number, network_.gradients_->data(), worker);
  worker.barrier();
}

void TrainingLoop::record_weights(Worker& worker) noexcept {
  const std::int64_t number = optimizer_.step_count() + 1;
  distributions_->record(DistributionKind::weight, number, network_.parameters_->data(), worker);
  worker.barrier();
}

void TrainingLoop::scale_gradient(const Measurements& measured) {
  double squares = 0;
  for (double sum : measured.gradient_squares) squares += sum;
  gradient_norm_ = std::sqrt(squares);
  not_finite_ = !std::isfinite(gradient_norm_);
  if (!not_finite_) optimizer_.clip(measured.gradient_squares);
}

void TrainingLoop::end_step(const Measurements& measured) {
  // Infinite weights may hide behind an activation that levels off; the update has seen them. Of large finite
  // ones the squares overflow too.
  const std::vector<double>& squares = optimizer_.prepared().weight_squares();
  for (std::size_t i = 0; i < squares.size(); ++i) {
    if (std::isfinite(squares[i]) || network_.is_finite(i)) continue;
    broken_weights_ = i;
    not_finite_ = true;
    return;
  }
  optimizer_.end();
  if (chunk_.average != nullptr) chunk_.average->end();
  network_.step_number_ = static_cast<std::uint32_t>(optimizer_.step_count());
  ++result_.steps;
  result_.loss += measured.loss;
  result_.weight += measured.weight;
  result_.correct += measured.correct;
  result_.rows += gradient_->rows();
  if (network_.times_ != nullptr) {
    const StepTimes times = gradient_->take_times(seconds_since(step_start_));
    if (recorded_) network_.times_->record(optimizer_.step_count(), times);
  }
  if (recorded_) {
    network_.ring_.record({optimizer_.step_count(), gradient_->rows(), optimizer_.learning_rate(),
                           gradient_norm_, chunk_.statistics != StatisticsLevel::off},
                          measured, optimizer_.prepared().weight_squares(),
                          optimizer_.prepared().update_squares());
  }
}

std::unique_ptr<BatchGradient> make_batch_gradient(Network& network, const TrainingChunk& chunk) {
  const Ranks& ranks = network.options().ranks;
  if (ranks.count() > 1 && ranks.average_every > 1) return std::make_unique<LocalUpdates>(network, chunk);
  if (ranks.work_together()) return std::make_unique<DistributedGradient>(network, chunk);
  return std::make_unique<LocalGradient>(network, chunk);
}

namespace {

void check_chunk_of_ranks(const TrainingChunk& chunk, const Optimizer& optimizer, const Ranks& ranks) {
  if (ranks.average_every > 1 && optimizer.is_full_batch()) {
    throw Error(ErrorCode::invalid_parameter,
                optimizer.rule().name + " needs the gradient of all ranks in every step")
        .at_key("average_every");
  }
  if (chunk.budget_seconds > 0) {
    throw Error(ErrorCode::invalid_parameter,
                "ranks that train together make the same steps; give no time budget")
        .at_key("budget_seconds");
  }
  if (chunk.global_batch < 1) {
    throw Error(ErrorCode::invalid_parameter, "must say how many rows all ranks have together")
        .at_key("global_batch");
  }
}

}  // namespace

TrainingResult Network::train(Optimizer& optimizer, const TrainingChunk& chunk) {
  const Turn turn(*this);
  const std::lock_guard optimizer_lock(optimizer.mutex());
  const Ranks& ranks = options_.ranks;
  const auto check = [&] {
    attach(optimizer);
    for (std::size_t i = 0; i < chunk.scheduled.size(); ++i) {  // here: the loop must not throw
      for (std::int64_t step = 0; step < chunk.steps; ++step) {
        const std::size_t place = static_cast<std::size_t>(step) * chunk.scheduled.size() + i;
        optimizer.check_number(chunk.scheduled[i], chunk.schedule[place]);
      }
    }
    if (!chunk.on_device) {
      check_targets(chunk.targets, chunk.weights, chunk.steps * chunk.batch, chunk.mixture);
    }
    if (chunk.average != nullptr) chunk.average->check_network(*this);
    if (ranks.count() > 1) check_chunk_of_ranks(chunk, optimizer, ranks);
  };
  if (ranks.count() > 1) {
    on_all_ranks(ranks.data->lane(0), check);
  } else {
    check();
  }
  by_hand_ = nullptr;
  if (DeviceTraining::may_try(*this, optimizer)) return DeviceTraining(*this, optimizer, chunk).run();
  if (ranks.work_together() && chunk.global_batch == 0) {
    TrainingChunk whole = chunk;
    whole.global_batch = chunk.batch;
    return TrainingLoop(*this, optimizer, whole).run();
  }
  return TrainingLoop(*this, optimizer, chunk).run();
}

}  // namespace ravine
