// What a network gives its caller of what was measured in training, and what measuring costs.
#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/errors.h"
#include "network/network.h"

namespace ravine {

DrainedRows Network::drain() {
  const Turn turn(*this);
  DrainedRows drained;
  ring_.drain(drained.steps, drained.values);
  return drained;
}

std::vector<TimesRing::Row> Network::drain_times() {
  const Turn turn(*this);
  return times_ == nullptr ? std::vector<TimesRing::Row>{} : times_->drain();
}

std::vector<DistributionRecord> Network::drain_distributions() {
  const Turn turn(*this);
  return distributions_ == nullptr ? std::vector<DistributionRecord>{} : distributions_->drain();
}

Distributions& Network::distributions() {
  if (graph_.ranks > 1) {
    throw Error(
        ErrorCode::invalid_parameter,
        "\"full\" records how the weights of whole layers are distributed, and this network's lie on " +
            std::to_string(graph_.ranks) + " ranks; use \"norms\"")
        .at_key("statistics");
  }
  if (distributions_ == nullptr) {
    distributions_ =
        std::make_unique<Distributions>(graph_, observed_, *backend_, threads_.most(), options_.dtype);
  }
  return *distributions_;
}

PassTimes Network::time_passes(const void* inputs, std::int64_t rows, bool with_distributions,
                               std::int64_t most, double seconds) {
  constexpr std::int64_t no_step = -1;
  const Turn turn(*this);
  ExecutionPlan& chosen = plan(Mode::training, rows);
  chosen.bind_input(inputs);
  chosen.bind_output(nullptr);
  by_hand_ = nullptr;
  Distributions* const all = with_distributions ? &distributions() : nullptr;
  if (all != nullptr && all->is_full()) all->drain();
  constexpr double never = std::numeric_limits<double>::infinity();
  PassTimes times{0, never, never, never};
  bool done = false;
  const auto begin = Clock::now();
  backend_->parallel([&](Worker& worker) {
    const bool first = worker.index == 0;
    const auto timed = [&](double& shortest, const RunContext& context) {
      worker.barrier();
      const auto start = Clock::now();
      chosen.program().run(Section::forward, context, worker);
      if (context.outputs != nullptr) {
        all->record(DistributionKind::output, no_step, nullptr, worker);
        all->record(DistributionKind::gradient, no_step, gradients_->data(), worker);
        all->record(DistributionKind::weight, no_step, parameters_->data(), worker);
        worker.barrier();
      }
      if (first) shortest = std::min(shortest, seconds_since(start));
    };
    RunContext distributed = context(false);
    while (true) {
      timed(times.bare, context(false));
      timed(times.observed, context(true));
      if (all != nullptr) {
        if (first) all->begin();
        distributed.outputs = all->outputs();
        timed(times.distributed, distributed);
        if (first) all->take_back(no_step);
      }
      if (first) {
        done = ++times.passes >= most || seconds_since(begin) > seconds;
        // Ranks that share the network end together.
        if (model() != nullptr) model()->broadcast(&done, sizeof(done), 0);
      }
      worker.barrier();
      if (done) return;
    }
  });
  return times;
}

}  // namespace ravine
