// Steps whose rule asks for loss and gradient at points of its own choice. The rule runs on the calling
// thread; each evaluation is shared by the team. All evaluations of a step have its samples and its masks.
#include <limits>

#include "network/training_loop.h"
#include "network/weight_average.h"

namespace ravine {

void TrainingLoop::run_full_batch() {
  FullBatchUpdate& update = *optimizer_.full_batch();
  state_before_.resize(network_.state_->bytes());
  while (true) {
    gradient_->bind_parameters(nullptr);
    begin_step();
    if (done_) return;
    if (!compute_gradient()) {
      not_finite_ = true;
      return;
    }
    at_start_ = gradient_->measured();
    scale_gradient(at_start_);
    if (not_finite_) return;
    if (distributed_) network_.backend_->parallel([this](Worker& worker) { record_gradient(worker); });
    // Layers keep what they saw where the step began, as with other rules; a rule that fails takes it back.
    network_.state_->read(0, state_before_.data(), state_before_.size());
    network_.backend_->parallel([this](Worker& worker) { gradient_->keep_state(worker); });
    gradient_->bind_parameters(update.trial());
    gradient_->begin(result_.steps, network_.context(false));
    try {
      update.step(mean_loss(at_start_), [this] { return loss_at_trial(); });
    } catch (...) {
      network_.state_->write(0, state_before_.data(), state_before_.size());
      throw;
    }
    if (chunk_.average != nullptr) {
      chunk_.average->begin();
      network_.backend_->parallel([this](Worker& worker) { chunk_.average->run(worker); });
    }
    if (distributed_) network_.backend_->parallel([this](Worker& worker) { record_weights(worker); });
    end_step(at_start_);
  }
}

bool TrainingLoop::compute_gradient() {
  bool finite = true;
  network_.backend_->use_threads(network_.threads_.next());
  const auto start = Clock::now();
  network_.backend_->parallel([&](Worker& worker) {
    const bool computed = gradient_->compute(worker);
    if (worker.index == 0) finite = computed;
  });
  network_.threads_.record(seconds_since(start), gradient_->rows());
  return finite;
}

double TrainingLoop::loss_at_trial() {
  const auto now = Clock::now();
  if (chunk_.interrupt && now - asked_ > std::chrono::milliseconds(50)) {
    asked_ = now;
    chunk_.interrupt();
  }
  return compute_gradient() ? mean_loss(gradient_->measured()) : std::numeric_limits<double>::infinity();
}

}  // namespace ravine
