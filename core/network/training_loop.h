// The native training loop: what happens between the parts of a step that all workers share.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "network/batch_gradient.h"

namespace ravine {

class TrainingLoop {
 public:
  TrainingLoop(Network& network, Optimizer& optimizer, const TrainingChunk& chunk);
  TrainingResult run();

 private:
  // Steps on one team, until all are done or enough is known of this number of workers.
  void run_team();
  void give_up_step();
  void work(Worker& worker) noexcept;
  // In full_batch_training.cpp: steps whose rule asks for gradients itself.
  void run_full_batch();
  bool compute_gradient();
  double loss_at_trial();

  void begin_step();
  void scale_gradient(const Measurements& measured);
  void end_step(const Measurements& measured);
  // By all workers, with a barrier at their ends: what is there before the update, and after it.
  void record_gradient(Worker& worker) noexcept;
  void record_weights(Worker& worker) noexcept;

  Network& network_;
  Optimizer& optimizer_;
  const TrainingChunk& chunk_;
  std::unique_ptr<BatchGradient> gradient_;
  Clock::time_point start_;
  Clock::time_point team_start_;
  std::int64_t steps_before_team_ = 0;
  bool next_team_ = false;  // there are steps left, for another number of workers
  TrainingResult result_;
  double gradient_norm_ = 0;
  Measurements at_start_;                // of a full-batch step
  std::vector<std::byte> state_before_;  // and of what layers keep
  Clock::time_point step_start_;
  Clock::time_point asked_;  // whether to go on
  bool recorded_ = false;
  Distributions* distributions_ = nullptr;  // where they are recorded at some steps
  bool distributed_ = false;                // at this one
  bool done_ = false;
  bool not_finite_ = false;
  std::optional<std::size_t> broken_weights_;  // the parameter whose weights were not finite after an update
};

}  // namespace ravine
