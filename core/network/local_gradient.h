// Loss and gradient of a batch that one rank computes alone, at once or in parts.
#pragma once

#include <vector>

#include "network/batch_gradient.h"
#include "network/batch_rows.h"

namespace ravine {

class LocalGradient final : public BatchGradient {
 public:
  // Makes the plans of the chunk's parts: of `micro_batch` rows and of what is left, or of the whole batch.
  LocalGradient(Network& network, const TrainingChunk& chunk);
  ~LocalGradient() override;
  LocalGradient(const LocalGradient&) = delete;
  LocalGradient& operator=(const LocalGradient&) = delete;

  void bind_parameters(const void* parameters) override;
  void begin(std::int64_t step, const RunContext& context) override;
  bool compute(Worker& worker) noexcept override;
  const Measurements& measured() const override {
    return measured_apart() ? merged_.whole : first_.program().measurements();
  }
  void keep_state(Worker& worker) noexcept override;
  Trouble find_trouble() override;
  std::int64_t rows() const override { return chunk_.batch; }

 private:
  // The part that was computed last.
  ExecutionPlan& plan() { return plan_of(part_); }
  std::int64_t row() const { return step_ * chunk_.batch + part_ * rows_of_part_; }
  ExecutionPlan& plan_of(std::int64_t part) { return part + 1 < parts_ || parts_ == 1 ? first_ : last_; }
  void bind(std::int64_t part);
  // On a device the squares of gradients are those of the whole buffer, as in the steps that it makes alone.
  bool measured_apart() const { return parts_ > 1 || squares_ != nullptr; }
  bool run(ExecutionPlan& plan, const RunContext& context, Worker& worker) noexcept;
  bool compute_parts(Worker& worker) noexcept;

  Network& network_;
  const TrainingChunk& chunk_;
  BatchRows rows_;
  std::int64_t rows_of_part_;  // of all but the last
  std::int64_t parts_;
  ExecutionPlan& first_;
  ExecutionPlan& last_;
  PreparedAccumulation* sum_ = nullptr;      // where there are several parts
  PreparedAccumulation* squares_ = nullptr;  // where there is one, on a device
  RunContext context_;
  std::int64_t step_ = 0;
  std::int64_t part_ = 0;
  bool bound_anew_ = true;  // since the last pass: rules may ask for several at the same samples
  MergedMeasurements merged_;
  // What layers keep changes with every part; it waits here until the step has succeeded.
  std::vector<std::byte> state_before_;
  std::vector<std::byte> state_after_;
};

}  // namespace ravine
