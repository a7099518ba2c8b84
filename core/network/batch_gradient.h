// Mean loss of a batch and its gradient, computed at once, in parts whose gradients are added (gradient
// accumulation), or together with other ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "network/network.h"

namespace ravine {

// What is not finite, where, and in whose rows; the rank is -1 where it is no matter of one.
struct Trouble {
  std::string what;
  std::string layer;
  int rank = -1;
};

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
// allocated by the constructor. Under ranks every rank makes the same calls, and they give the same answers.
class BatchGradient {
 public:
  virtual ~BatchGradient() = default;

  // Where the forward pass reads parameters; nullptr: from the network's own.
  virtual void bind_parameters(const void* parameters) = 0;
  // The chunk's batch of this step (from 0); `context` keys its random numbers.
  virtual void begin(std::int64_t step, const RunContext& context) = 0;
  // Leaves in measured() the sum of the losses, the right answers, the weight (of the rows: the mean loss is
  // loss / weight), moments of layers where the context observes, and the gradient's squares per parameter.
  // False, for every worker, where the loss is not finite, or the gradient of one of several parts; that of a
  // single part is the caller's to check, by the squares. Ends with a barrier.
  virtual bool compute(Worker& worker) noexcept = 0;
  virtual const Measurements& measured() const = 0;
  // Gives layers what they keep of the pass that was computed last. Ends with a barrier.
  virtual void keep_state(Worker& worker) noexcept = 0;
  // What was not finite in the batch that was computed last. Not by a team.
  virtual Trouble find_trouble() = 0;
  // Of the batch, on all ranks.
  virtual std::int64_t rows() const = 0;
  // Whether it is so on any rank; one worker calls it.
  virtual bool on_any_rank(bool here) noexcept { return here; }
  // A rank without rows makes no update where ranks step alone.
  virtual bool has_rows() const { return true; }
  // By all workers, after the update of a step; false where a rank cannot go on. Ends with a barrier.
  virtual bool after_update(Optimizer&, Worker&) noexcept { return true; }
  // What the ranks have done together. Not by a team.
  virtual void finish(TrainingResult&) {}
  // Of several ranks: the distributions of outputs over the rows of all; one worker.
  virtual void merge_outputs(Distributions&) noexcept {}
  // Seconds since the last call.
  virtual StepTimes take_times(double) noexcept { return {}; }
};

// Makes the plans that a chunk needs. Under ranks a collective call.
std::unique_ptr<BatchGradient> make_batch_gradient(Network& network, const TrainingChunk& chunk);

}  // namespace ravine
