#include "network/recomputation.h"

#include <algorithm>
#include <map>
#include <set>

namespace ravine {
namespace {

using Tensors = std::set<TensorId>;

// The memory that some steps read or write, as root tensors.
void insert_roots(Tensors& tensors, const Program& program, const std::vector<TensorId>& ids) {
  for (TensorId id : ids) tensors.insert(program.root(id));
}

class Recomputation {
 public:
  explicit Recomputation(LoweredProgram& lowered)
      : lowered_(lowered), program_(lowered.program), renamed_(program_.tensors.size()) {
    for (std::size_t id = 0; id < renamed_.size(); ++id) renamed_[id] = static_cast<TensorId>(id);
    find_forgotten();
  }

  void run() {
    if (forgotten_.empty()) return;
    std::vector<Step> steps;
    for (Step& step : program_.steps) {
      if (step.section == Section::backward) {
        const std::set<std::int64_t> segments = forgotten_by(step);
        for (std::int64_t segment : segments) repeat(segment, steps);
        exchange_inputs(step.operation, renamed_);
      }
      steps.push_back(std::move(step));
    }
    program_.steps = std::move(steps);
  }

 private:
  // What is written in the forward pass of a segment, is read in the backward pass, and not kept.
  void find_forgotten() {
    Tensors read_backward;
    std::int64_t last = 0;
    for (const Step& step : program_.steps) {
      const std::int64_t segment = segment_of(step, program_.options);
      if (step.section == Section::forward) {
        last = std::max(last, segment);
        forward_.push_back(step);
        for (TensorId id : outputs_of(step.operation)) written_in_[program_.root(id)] = segment;
        // What other ranks have sent is not sent again.
        if (is_collective(step.operation)) insert_roots(kept_, program_, outputs_of(step.operation));
        for (TensorId id : inputs_of(step.operation)) {
          const auto written = written_in_.find(program_.root(id));
          if (written != written_in_.end() && written->second != segment) kept_.insert(written->first);
        }
      } else {
        insert_roots(step.section == Section::backward ? read_backward : kept_, program_,
                     inputs_of(step.operation));
      }
    }
    if (lowered_.output != no_tensor) kept_.insert(program_.root(lowered_.output));
    for (const auto& [tensor, segment] : written_in_) {
      // The backward pass begins with the last segment: forgetting it would save nothing.
      const bool forgets = segment < last && read_backward.count(tensor) > 0 && kept_.count(tensor) == 0;
      if (forgets) forgotten_[tensor] = segment;
    }
  }

  // The segments of which a step needs something that is not there any more.
  std::set<std::int64_t> forgotten_by(const Step& step) const {
    std::set<std::int64_t> segments;
    for (TensorId id : inputs_of(step.operation)) {
      const auto found = forgotten_.find(program_.root(id));
      if (found != forgotten_.end() && repeated_.count(found->second) == 0) segments.insert(found->second);
    }
    return segments;
  }

  // Appends the operations of a segment's forward pass that lead to what was forgotten of it.
  void repeat(std::int64_t segment, std::vector<Step>& steps) {
    repeated_.insert(segment);
    Tensors needed;
    for (const auto& [tensor, home] : forgotten_) {
      if (home == segment) needed.insert(tensor);
    }
    std::vector<const Step*> chosen;  // the last one first
    for (std::size_t i = forward_.size(); i-- > 0;) {
      const Step& step = forward_[i];
      if (segment_of(step, program_.options) != segment) continue;
      Tensors written;
      insert_roots(written, program_, outputs_of(step.operation));
      if (std::none_of(written.begin(), written.end(), [&](TensorId id) { return needed.count(id) > 0; })) {
        continue;
      }
      chosen.push_back(&step);
      for (TensorId id : inputs_of(step.operation)) {
        const TensorId root = program_.root(id);
        const auto found = written_in_.find(root);
        if (found != written_in_.end() && found->second == segment && kept_.count(root) == 0) {
          needed.insert(root);
        }
      }
    }
    for (auto step = chosen.rbegin(); step != chosen.rend(); ++step) {
      Step again = **step;
      for (TensorId id : outputs_of(again.operation)) rename(id);
      exchange_inputs(again.operation, renamed_);
      exchange_outputs(again.operation, renamed_);
      for (Observation* observation : observations_of(again.operation)) *observation = {};
      again.section = Section::backward;
      steps.push_back(std::move(again));
    }
  }

  // Gives a tensor that is computed again memory of its own, under all its shapes.
  void rename(TensorId id) {
    const TensorId root = program_.root(id);
    const auto at = [](TensorId tensor) { return static_cast<std::size_t>(tensor); };
    if (renamed_[at(root)] != root) return;
    renamed_[at(root)] = program_.add_tensor(Tensor(program_.tensor(root)));
    for (std::size_t other = 0; other < renamed_.size(); ++other) {
      if (program_.tensors[other].alias != root) continue;
      Tensor alias = program_.tensors[other];
      alias.alias = renamed_[at(root)];
      renamed_[other] = program_.add_tensor(std::move(alias));
    }
  }

  LoweredProgram& lowered_;
  Program& program_;
  std::vector<TensorId> renamed_;  // what the backward pass reads in the place of each tensor
  std::vector<Step> forward_;
  std::map<TensorId, std::int64_t> written_in_;  // the segment that writes it, in the forward pass
  Tensors kept_;
  std::map<TensorId, std::int64_t> forgotten_;  // and the segment that writes it
  std::set<std::int64_t> repeated_;
};

}  // namespace

void recompute(LoweredProgram& lowered) {
  if (lowered.program.options.checkpoint_every > 0) Recomputation(lowered).run();
}

std::int64_t segment_of(const Step& step, const ComputeOptions& options) {
  if (options.checkpoint_every == 0) return 0;
  return step.layer < 0 ? -1 : step.layer / options.checkpoint_every;
}

}  // namespace ravine
