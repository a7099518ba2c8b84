// The native training loop: many steps in one call, on one team of workers.
#include <chrono>
#include <cmath>

#include "base/errors.h"
#include "network/network.h"

namespace ravine {

// What the first worker does between the parts of a step that all workers share.
class TrainingLoop {
 public:
  TrainingLoop(Network& network, Optimizer& optimizer, const TrainingChunk& chunk)
      : network_(network),
        optimizer_(optimizer),
        chunk_(chunk),
        plan_(network.plan(Mode::training, chunk.batch)),
        start_(std::chrono::steady_clock::now()) {
    result_.loss = chunk.loss_so_far;
    const auto element = static_cast<std::int64_t>(size_of(network.options_.dtype));
    input_bytes_ = chunk.batch * network.graph_.input.elements() * element;
    target_bytes_ = chunk.batch * (network.loss_->target_kind() == TargetKind::labels
                                       ? static_cast<std::int64_t>(sizeof(std::int32_t))
                                       : network.graph_.output().elements() * element);
    plan_.bind_output(nullptr);
    plan_.bind_output_gradient(nullptr);
    plan_.bind_parameters(optimizer.look_ahead());
  }

  ~TrainingLoop() { plan_.bind_parameters(nullptr); }
  TrainingLoop(const TrainingLoop&) = delete;
  TrainingLoop& operator=(const TrainingLoop&) = delete;

  TrainingResult run() {
    network_.backend_->parallel([this](Worker& worker) { work(worker); });
    optimizer_.prepared().rethrow();
    if (not_finite_) {
      const auto [what, layer] = network_.find_trouble(plan_, input());
      result_.trouble = what;
      result_.trouble_layer = layer;
    }
    return result_;
  }

 private:
  void work(Worker& worker) noexcept {
    const bool first = worker.index == 0;
    const Measurements& measured = plan_.program().measurements();
    while (true) {
      if (first) begin_step();
      worker.barrier();
      if (done_) return;
      if (optimizer_.look_ahead() != nullptr) optimizer_.run_look_ahead(worker);
      plan_.program().run(Section::forward, context_, worker);
      plan_.program().run(Section::loss, context_, worker);
      // Every worker sees the same measurements and takes the same way.
      if (!std::isfinite(measured.loss)) {
        if (first) not_finite_ = true;
        return;
      }
      plan_.program().run(Section::backward, context_, worker);
      if (first) scale_gradient(measured);
      worker.barrier();
      if (not_finite_) return;
      optimizer_.run(worker);
      if (optimizer_.prepared().failed()) return;
      if (plan_.changes_state()) plan_.program().run(Section::state, context_, worker);
      if (first) end_step(measured);
    }
  }

  const std::byte* input() const {
    return static_cast<const std::byte*>(chunk_.inputs) + result_.steps * input_bytes_;
  }

  void begin_step() {
    const bool out_of_time =
        chunk_.budget_seconds > 0 && result_.steps > 0 &&
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() >
            chunk_.budget_seconds;
    done_ = result_.steps == chunk_.steps || out_of_time;
    if (done_) return;
    const std::size_t settings = chunk_.scheduled.size();
    for (std::size_t i = 0; i < settings; ++i) {
      optimizer_.set(chunk_.scheduled[i],
                     chunk_.schedule[static_cast<std::size_t>(result_.steps) * settings + i]);
    }
    optimizer_.begin();
    recorded_ = chunk_.record_every > 0 && (optimizer_.step_count() + 1) % chunk_.record_every == 0;
    network_.step_number_ = static_cast<std::uint32_t>(optimizer_.step_count());
    context_ = network_.context(recorded_ && chunk_.observe_layers);
    plan_.bind_input(input());
    plan_.bind_targets(static_cast<const std::byte*>(chunk_.targets) + result_.steps * target_bytes_);
  }

  void scale_gradient(const Measurements& measured) {
    double squares = 0;
    for (double sum : measured.gradient_squares) squares += sum;
    gradient_norm_ = std::sqrt(squares);
    not_finite_ = !std::isfinite(gradient_norm_);
    if (!not_finite_) optimizer_.clip(measured.gradient_squares);
  }

  void end_step(const Measurements& measured) {
    optimizer_.end();
    network_.step_number_ = static_cast<std::uint32_t>(optimizer_.step_count());
    ++result_.steps;
    result_.loss += measured.loss;
    result_.correct += measured.correct;
    result_.rows += chunk_.batch;
    if (recorded_) {
      network_.ring_.record({optimizer_.step_count(), chunk_.batch, optimizer_.learning_rate(),
                             gradient_norm_, chunk_.observe_layers},
                            measured, optimizer_.prepared());
    }
  }

  Network& network_;
  Optimizer& optimizer_;
  const TrainingChunk& chunk_;
  ExecutionPlan& plan_;
  std::chrono::steady_clock::time_point start_;
  std::int64_t input_bytes_;
  std::int64_t target_bytes_;
  TrainingResult result_;
  RunContext context_;
  double gradient_norm_ = 0;
  bool recorded_ = false;
  bool done_ = false;
  bool not_finite_ = false;
};

TrainingResult Network::train(Optimizer& optimizer, const TrainingChunk& chunk) {
  const Turn turn(*this);
  const std::lock_guard optimizer_lock(optimizer.mutex());
  attach(optimizer);
  for (const std::string& name : chunk.scheduled) optimizer.check_number(name);  // the loop must not throw
  check_targets(chunk.targets, chunk.steps * chunk.batch);
  by_hand_ = nullptr;
  return TrainingLoop(*this, optimizer, chunk).run();
}

}  // namespace ravine
