// Plans, and the memory they take of a device, which is known before any is taken.
#include <algorithm>
#include <limits>
#include <map>

#include "base/memory.h"
#include "network/network.h"

namespace ravine {
namespace {

const char* name_of(Mode mode) {
  return mode == Mode::training     ? "training"
         : mode == Mode::evaluation ? "evaluation"
         : mode == Mode::prediction ? "prediction"
                                    : "moments";
}

}  // namespace

void check_weights(double bytes, Backend& backend) {
  const std::optional<DeviceMemory> there = backend.memory();
  if (!there || bytes <= there->free) return;
  throw Error(ErrorCode::out_of_memory, "the weights and their gradients need " + bytes_text(bytes) + " on " +
                                            backend.device().to_string() + ", where " +
                                            bytes_text(there->free) + " of " + bytes_text(there->total) +
                                            " are free; use a smaller network, or device cpu");
}

ExecutionPlan& Network::plan(Mode mode, std::int64_t batch, std::size_t number) {
  const auto found = plans_.find({mode, batch, number});
  if (found != plans_.end()) return *found->second;
  // Made before it is kept: a layer may refuse the batch size.
  check_memory(mode, batch, 0, "");
  std::unique_ptr<ExecutionPlan> made;
  try {
    made = make_plan(mode, batch);
  } catch (const Error& error) {  // operations take more than what is planned
    if (error.code() != ErrorCode::out_of_memory || !backend_->memory()) throw;
    throw out_of_memory(mode, batch, 0, "");
  }
  if (mode == Mode::training && looking_ahead_) made->bind_parameters(looking_ahead_->data());
  return *plans_.emplace(std::make_tuple(mode, batch, number), std::move(made)).first->second;
}

PlanDescription Network::describe(Mode mode, std::int64_t batch) {
  const Turn turn(*this);
  const ExecutionPlan& chosen = plan(mode, batch);
  return {chosen.rows(),
          chosen.flops(),
          chosen.bytes_sent(),
          chosen.memory().bytes,
          chosen.memory().unshared_bytes,
          chosen.bytes_beside()};
}

std::unique_ptr<ExecutionPlan> Network::make_plan(Mode mode, std::int64_t batch) const {
  return std::make_unique<ExecutionPlan>(
      graph_, planned(mode, batch), *backend_,
      ParameterMemory{parameters_->data(), gradients_->data(), state_->data()});
}

bool Network::can_make(Mode mode, std::int64_t batch) const {
  try {
    make_plan(mode, batch);
    return true;
  } catch (const Error&) {
    return false;
  }
}

PlannedProgram Network::planned(Mode mode, std::int64_t batch) const {
  const Ranks& ranks = options_.ranks;
  const bool alone = mode != Mode::training || !ranks.synchronized_normalization || !ranks.work_together();
  return plan_program(graph_, *loss_, mode, batch, options_.dtype, options_.compute, alone, model());
}

double Network::bytes_of_plan(Mode mode, std::int64_t batch) const {
  const PlannedProgram made = planned(mode, batch);
  return static_cast<double>(made.memory.bytes) + backend_->bytes_beside(made.lowered.program);
}

// Infinitely many for a batch that a layer refuses.
double Network::bytes_where_possible(Mode mode, std::int64_t batch) const {
  try {
    return bytes_of_plan(mode, batch);
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
}

void Network::check_memory(Mode mode, std::int64_t batch, double besides, const std::string& what) const {
  const std::optional<DeviceMemory> there = backend_->memory();
  if (!there) return;
  const double needed = besides + (batch > 0 ? bytes_of_plan(mode, batch) : 0);
  if (needed > there->free) throw out_of_memory(mode, batch, besides, what);
}

// With smaller batches the plans that are there would be smaller too.
Error Network::out_of_memory(Mode mode, std::int64_t batch, double besides, const std::string& what) const {
  const DeviceMemory there = *backend_->memory();
  std::vector<std::pair<Mode, std::int64_t>> wanted;
  double held = 0;
  for (const auto& [key, plan] : plans_) {
    wanted.emplace_back(std::get<0>(key), std::get<1>(key));
    held += static_cast<double>(plan->memory().bytes) + plan->bytes_beside();
  }
  if (batch > 0) wanted.emplace_back(mode, batch);
  std::map<std::pair<Mode, std::int64_t>, double> known;
  const auto needed = [&](std::int64_t most) {
    double bytes = besides;
    for (const auto& [one, rows] : wanted) {
      const auto [place, is_new] = known.try_emplace({one, std::min(rows, most)});
      if (is_new) place->second = bytes_where_possible(one, std::min(rows, most));
      bytes += place->second;
    }
    return bytes;
  };
  std::int64_t fits = 0;
  std::int64_t too_large = 1;
  for (const auto& [one, rows] : wanted) too_large = std::max(too_large, rows);
  const double weights = static_cast<double>(parameters_->bytes() + gradients_->bytes() + state_->bytes());
  const double all = needed(too_large) + weights;
  while (too_large - fits > 1) {
    const std::int64_t middle = fits + (too_large - fits) / 2;
    (needed(middle) <= there.free + held ? fits : too_large) = middle;
  }
  // Operations may take more than what is planned: where no other plan is in the way, it is tried.
  while (plans_.empty() && batch > 0 && fits > 0 && !can_make(mode, fits)) fits = fits * 7 / 8;
  const std::string rows = batch > 0 ? std::string(name_of(mode)) + " in batches of " + std::to_string(batch)
                                     : "training with " + what;
  const std::string remedy = fits > 0 ? "the largest batch that fits is " + std::to_string(fits)
                                      : "no batch fits: use a smaller network, or device cpu";
  return Error(ErrorCode::out_of_memory, rows + " needs " + bytes_text(all) + " on " +
                                             options_.device.to_string() + ", where " +
                                             bytes_text(there.free + held + weights) + " of " +
                                             bytes_text(there.total) + " are free; " + remedy)
      .at_key("batch_size");
}

// Evaluation needs no gradients: larger batches use the processor better, as long as there is memory.
std::int64_t Network::rows_of_pass(Mode mode, std::int64_t rows) const {
  std::int64_t batch = std::min(rows, std::max<std::int64_t>(options_.batch, 256));
  const std::optional<DeviceMemory> there = backend_->memory();
  while (there && batch > options_.batch && plans_.count({mode, batch, 0}) == 0 &&
         bytes_of_plan(mode, batch) > there->free) {
    batch = std::max(options_.batch, batch / 2);
  }
  return batch;
}

}  // namespace ravine
