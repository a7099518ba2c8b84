// Mean loss of a batch and its gradient, computed at once or in parts whose gradients are added (gradient
// accumulation), so that a step takes the memory of a part and has the gradient of the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "network/network.h"

namespace ravine {

// For batches of one chunk. A step, on a team of workers:
//
//   one worker   begin(step, context)
//   barrier
//   all workers  if (!compute(worker)) stop
//                measured() and the network's gradient buffer are there, for every worker
//   all workers  keep_state(worker), once the step has succeeded
//
// Several compute calls may follow one begin, with bind_parameters by one worker and a barrier before each:
// compute changes nothing but gradients and measurements. What is given up needs no clearing up. All is
// allocated by the constructor.
class BatchGradient {
 public:
  // Makes the plans of the chunk's parts: of `micro_batch` rows and of what is left, or of the whole batch.
  BatchGradient(Network& network, const TrainingChunk& chunk);
  ~BatchGradient();
  BatchGradient(const BatchGradient&) = delete;
  BatchGradient& operator=(const BatchGradient&) = delete;

  // Where the forward pass reads parameters; nullptr: from the network's own.
  void bind_parameters(const void* parameters);
  // The chunk's batch of this step (from 0); `context` keys its random numbers.
  void begin(std::int64_t step, const RunContext& context);
  // Leaves in measured() the sum of the losses, the right answers, the weight (of the rows: the mean loss is
  // loss / weight), moments of layers where the context observes, and the gradient's squares per parameter.
  // False, for every worker, where the loss is not finite, or the gradient of one of several parts; that of a
  // single part is the caller's to check, by the squares. Ends with a barrier.
  bool compute(Worker& worker) noexcept;
  const Measurements& measured() const { return parts_ == 1 ? first_.program().measurements() : whole_; }
  // Gives layers what they keep of the pass that was computed last. Ends with a barrier.
  void keep_state(Worker& worker) noexcept;

  // The part that was computed last, to look for what is not finite.
  ExecutionPlan& plan() { return plan_of(part_); }
  const void* input() const;
  // Its place in the batch.
  std::uint32_t first_row() const { return static_cast<std::uint32_t>(part_ * rows_of_part_); }
  std::int64_t rows() const { return chunk_.batch; }

 private:
  ExecutionPlan& plan_of(std::int64_t part) { return part + 1 < parts_ || parts_ == 1 ? first_ : last_; }
  void bind(std::int64_t part);
  bool run(ExecutionPlan& plan, const RunContext& context, Worker& worker) noexcept;
  bool compute_parts(Worker& worker) noexcept;
  void merge(const Measurements& part, std::int64_t rows) noexcept;

  Network& network_;
  const TrainingChunk& chunk_;
  std::int64_t rows_of_part_;  // of all but the last
  std::int64_t parts_;
  ExecutionPlan& first_;
  ExecutionPlan& last_;
  PreparedAccumulation* sum_ = nullptr;  // where there are several parts
  std::int64_t input_bytes_;             // of a row
  std::int64_t target_bytes_;
  RunContext context_;
  std::int64_t step_ = 0;
  std::int64_t part_ = 0;
  Measurements whole_;
  std::int64_t merged_rows_ = 0;
  // What layers keep changes with every part; it waits here until the step has succeeded.
  std::vector<std::byte> state_before_;
  std::vector<std::byte> state_after_;
};

}  // namespace ravine
