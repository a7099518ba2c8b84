#include "network/phases.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "network/chunks.h"

#include "network/recomputation.h"

namespace ravine {
namespace {

// Up to here the time that workers wait for each other counts beside the operation itself, and what several
// operations write stays in the cache.
constexpr double most_flops_of_small = 8e6;

// What a phase by images touches lives for the whole of it: a long chain is cut where it has written so much.
constexpr double most_bytes_of_chain = 64 << 20;

using Steps = std::vector<Step>;

bool is_small(const Program& program) {
  return std::all_of(program.steps.begin(), program.steps.end(), [&](const Step& step) {
    return flops_of(step.operation, program) <= most_flops_of_small;
  });
}

// The memory of some steps, as root tensors.
class Memory {
 public:
  explicit Memory(const Program& program) : program_(&program) {}

  void add(const Step& step) {
    for (TensorId id : inputs_of(step.operation)) read_.insert(program_->root(id));
    for (TensorId id : outputs_of(step.operation)) written_.insert(program_->root(id));
  }
  void add_written(const std::vector<TensorId>& ids) {
    for (TensorId id : ids) written_.insert(program_->root(id));
  }
  bool is_read_by(const Step& step) const {
    const std::vector<TensorId> inputs = inputs_of(step.operation);
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](TensorId id) { return written_.count(program_->root(id)) > 0; });
  }
  // Neither reads what the other writes, and they write different tensors.
  bool is_independent_of(const Step& step) const {
    for (TensorId id : inputs_of(step.operation)) {
      if (written_.count(program_->root(id)) > 0) return false;
    }
    for (TensorId id : outputs_of(step.operation)) {
      const TensorId root = program_->root(id);
      if (written_.count(root) > 0 || read_.count(root) > 0) return false;
    }
    return true;
  }

 private:
  const Program* program_;
  std::set<TensorId> read_;
  std::set<TensorId> written_;
};

// Whether the steps need nothing of each other: they write gradients of parameters alone.
bool only_gradients(const Steps& steps, const Program& program) {
  const auto is_gradient = [&](TensorId id) { return program.tensor(id).role == TensorRole::gradient; };
  return std::all_of(steps.begin(), steps.end(), [&](const Step& step) {
    const std::vector<TensorId> inputs = inputs_of(step.operation);
    const std::vector<TensorId> outputs = outputs_of(step.operation);
    return std::all_of(outputs.begin(), outputs.end(), is_gradient) &&
           std::none_of(inputs.begin(), inputs.end(), is_gradient);
  });
}

// Moves each operation of the backward section that is not by rows behind those that follow it, as far as
// nothing needs it. In the order of the parameters, so that a worker updates what it has computed.
void delay_sums_over_rows(Program& program) {
  Steps ordered;
  Steps delayed;
  Memory behind(program);  // what the delayed steps read and write
  const auto flush = [&] {
    if (only_gradients(delayed, program)) {
      std::stable_sort(delayed.begin(), delayed.end(),
                       [](const Step& a, const Step& b) { return a.layer < b.layer; });
    }
    std::move(delayed.begin(), delayed.end(), std::back_inserter(ordered));
    delayed.clear();
    behind = Memory(program);
  };
  for (Step& step : program.steps) {
    if (std::holds_alternative<MergeMeasurements>(step.operation)) flush();
    const bool waits = step.section == Section::backward && !is_by_rows(step.operation, program) &&
                       !is_collective(step.operation);
    if (waits) {
      behind.add(step);
      delayed.push_back(std::move(step));
      continue;
    }
    if (step.section != Section::backward || !behind.is_independent_of(step)) flush();
    ordered.push_back(std::move(step));
  }
  flush();
  program.steps = std::move(ordered);
}

}  // namespace

Tiling tiling_of(const Program& program) { return {is_small(program), images_of_tile(program)}; }

void plan_phases(LoweredProgram& lowered, const Tiling& tiling) {
  Program& program = lowered.program;
  const ComputeOptions& options = program.options;
  const bool small = tiling.small;
  // What is computed again is to be forgotten soon.
  if (small && options.phases && options.checkpoint_every == 0) delay_sums_over_rows(program);
  program.phases.clear();
  // Whether a part of the network between two outputs that are kept begins here.
  const auto is_checkpoint = [&](std::size_t i) {
    return i > 0 && segment_of(program.steps[i], options) != segment_of(program.steps[i - 1], options);
  };
  Memory memory(program);
  Memory sums(program);  // over images, of the phase: known when it is over
  bool by_rows = false;
  bool independent = false;
  double written = 0;  // bytes, in the phase
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const bool rows =
        small ? is_by_rows(step.operation, program) : options.chunks && is_by_images(step.operation, program);
    // What layers keep changes once a step has succeeded; everything before may run in one go.
    const bool follows =
        i > 0 && (step.section == Section::state) == (program.steps[i - 1].section == Section::state);
    const bool stays_by_rows =
        by_rows && rows && !sums.is_read_by(step) && (small || written <= most_bytes_of_chain);
    // An operation by rows takes the same tiles whatever stands beside it: what it measures, and what it
    // sums, keep their bits.
    const bool stays_independent = independent && !rows && memory.is_independent_of(step);
    // The ranks of a group speak with each other one operation after the other.
    const bool is_apart =
        is_collective(step.operation) || (i > 0 && is_collective(program.steps[i - 1].operation));
    if (follows && options.phases && !is_checkpoint(i) && !is_apart && (stays_by_rows || stays_independent)) {
      by_rows = stays_by_rows;
      independent = stays_independent;
      Phase& phase = program.phases.back();
      ++phase.count;
      phase.by_rows = by_rows;
    } else {
      by_rows = rows;
      independent = !rows;
      program.phases.push_back({i, 1, rows});
      memory = Memory(program);
      sums = Memory(program);
      written = 0;
    }
    memory.add(step);
    for (TensorId id : outputs_of(step.operation)) written += bytes_of(program.tensor(id));
    if (!small) sums.add_written(sums_over_images(step.operation, program));
  }
  for (Phase& phase : program.phases) {
    if (phase.by_rows) phase.samples = small ? rows_of_tile(program.batch()) : tiling.images;
  }
}

}  // namespace ravine
