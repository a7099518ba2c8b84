// Training that a device does by itself: the host puts groups of steps onto it, and reads what was measured
// while the next ones run. What a device cannot do alone, such as steps at which distributions are recorded,
// the training loop does; results have the same bits either way.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "network/batch_rows.h"

namespace ravine {

class DeviceTraining {
 public:
  // Whether the network lies on a device that may be left alone with this rule.
  static bool may_try(const Network& network, const Optimizer& optimizer);

  DeviceTraining(Network& network, Optimizer& optimizer, const TrainingChunk& chunk);
  ~DeviceTraining();
  DeviceTraining(const DeviceTraining&) = delete;
  DeviceTraining& operator=(const DeviceTraining&) = delete;
  TrainingResult run();

 private:
  // What the host must still know of a step when it is done.
  struct Launched {
    double learning_rate;
    bool recorded;
  };

  PreparedSteps* prepare();
  // Steps from the next one on that the device does alone.
  std::int64_t steps_alone() const;
  bool is_distributed(std::int64_t ahead) const;
  bool is_out_of_time() const;
  // False where nothing follows.
  bool run_alone(std::int64_t count);
  bool run_loop();
  void launch(std::int64_t count);
  // Takes in what a group has done.
  GroupEnd collect();
  // Names them in the result.
  bool has_broken_weights();
  void count_step(const Launched& launched);
  std::int64_t group_size(std::int64_t left) const;
  void set_scheduled(std::int64_t step);

  Network& network_;
  Optimizer& optimizer_;
  const TrainingChunk& chunk_;
  BatchRows rows_;
  std::vector<ExecutionPlan*> plans_;  // of the parts of a batch
  PreparedSteps* steps_ = nullptr;
  Clock::time_point start_;
  TrainingResult result_;
  StepResult measured_;
  std::array<std::vector<Launched>, 2> launched_;  // the groups under way, the older one first
  std::size_t under_way_ = 0;
  std::int64_t ahead_ = 0;       // steps of them
  std::int64_t last_group_ = 0;  // steps of the last one
  Clock::time_point group_start_;
};

}  // namespace ravine
