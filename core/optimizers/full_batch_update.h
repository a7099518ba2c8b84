// A full-batch rule at work: instead of one pass over the parameters, `step` asks for the gradient at as many
// points as the rule wants. The rule computes on the host, wherever the network is.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "optimizers/full_batch_rule.h"
#include "optimizers/host_copy.h"

namespace ravine {

// Loss and gradient of the batch at the parameters in `trial`: leaves the gradient in the gradient buffer.
// Infinite or NaN where the network cannot be computed there.
using EvaluateLoss = std::function<double()>;

class FullBatchUpdate final : public PreparedUpdate {
 public:
  // The slots lie in memory of the host; the backend must outlive it.
  FullBatchUpdate(std::shared_ptr<FullBatchRule> rule, Backend& backend, DType dtype,
                  const UpdateBuffers& buffers, std::vector<UpdateSegment> segments,
                  std::shared_ptr<Buffer> trial);
  ~FullBatchUpdate() override;

  // The settings must last until the step is done.
  void begin(const Values& settings, std::int64_t step, const Regularization& regularization) override;
  // Moves the parameters by one step from where `evaluate` gave this loss, whose gradient is in the buffer.
  // When it throws, parameters and state are as before.
  void step(double loss, const EvaluateLoss& evaluate);
  // Where trial points are.
  void* trial() { return trial_->data(); }
  // Gradients that steps have asked for, the first of each included.
  std::int64_t evaluations() const { return evaluations_; }

  void scale(const std::vector<double>&) noexcept override {}  // nothing is clipped
  void look_ahead(Worker&) noexcept override {}
  void run(Worker&) noexcept override {}  // `step` has done it
  const std::vector<double>& weight_squares() const override { return weight_squares_; }
  const std::vector<double>& update_squares() const override { return update_squares_; }

 private:
  class PenalizedLoss;

  void measure(const Vector& before, const Vector& after);

  std::shared_ptr<FullBatchRule> rule_;
  DType dtype_;
  std::vector<std::shared_ptr<void>> owners_;
  std::vector<UpdateSegment> segments_;
  std::shared_ptr<Buffer> trial_;
  HostCopy parameters_;
  HostCopy gradients_;
  HostCopy trial_copy_;
  std::unique_ptr<PenalizedLoss> objective_;
  RuleState state_;
  const Values* settings_ = nullptr;
  Vector before_;
  Vector point_;
  Vector gradient_;
  std::int64_t evaluations_ = 0;
  std::vector<double> weight_squares_;
  std::vector<double> update_squares_;
};

}  // namespace ravine
