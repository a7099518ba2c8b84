// Loss and gradient of a batch whose rows are shared out among ranks.
//
// Losses are divided by the weight of the whole batch, so that gradients are sums over ranks. Each rank
// computes its rows as one part, in several parts whose gradients it adds (micro_batch), or as some of the
// parts that the batch has on any number of ranks (deterministic). What was measured of the parts is gathered
// and merged in their order, so that every rank knows the same and decides alike.
#pragma once

#include <vector>

#include "network/batch_gradient.h"
#include "network/batch_rows.h"
#include "network/gradient_exchange.h"
#include "network/ordered_exchange.h"

namespace ravine {

class DistributedGradient final : public BatchGradient {
 public:
  // Throws on every rank where one of them cannot.
  DistributedGradient(Network& network, const TrainingChunk& chunk);
  ~DistributedGradient() override;
  DistributedGradient(const DistributedGradient&) = delete;
  DistributedGradient& operator=(const DistributedGradient&) = delete;

  void bind_parameters(const void* parameters) override;
  void begin(std::int64_t step, const RunContext& context) override;
  bool compute(Worker& worker) noexcept override;
  const Measurements& measured() const override { return merged_.whole; }
  void keep_state(Worker& worker) noexcept override;
  Trouble find_trouble() override;
  std::int64_t rows() const override { return chunk_.global_batch; }
  bool on_any_rank(bool here) noexcept override;
  void merge_outputs(Distributions& distributions) noexcept override;
  StepTimes take_times(double seconds) noexcept override;

 private:
  // Some of this rank's rows, which are computed at once.
  struct Part {
    Rows rows;  // within this rank's
    ExecutionPlan* plan = nullptr;
    void* gradients = nullptr;       // where it leaves them
    std::vector<std::size_t> ready;  // after which phase each bucket is complete
  };
  // What a rank says of its rows before the first step.
  struct Layout {
    std::int64_t first_row, rows, parts, steps, global_batch, weighs;
  };
  // Parts that run together, section by section between their meetings.
  struct Round {
    std::size_t begin, end;  // of this rank's parts
    std::vector<std::int64_t> of_ranks;
    std::int64_t all;  // parts of all ranks
  };

  // In distributed_layout.cpp: who computes what.
  void share_out_rows();
  void agree_on_layout();
  void make_plans();
  void plan_rounds();
  void prepare_memory();

  void compute_round(const Round& round, std::size_t& started, Worker& worker) noexcept;
  void run(const Round& round, std::size_t meeting, std::size_t& started, Worker& worker) noexcept;
  void start_buckets(std::size_t complete, std::size_t& started, Worker& worker) noexcept;
  void meet(const Round& round, std::size_t meeting) noexcept;
  void finish_part(std::size_t index, Worker& worker) noexcept;
  void leave_out_gradient(std::size_t& started, Worker& worker) noexcept;
  void sum_gradients(std::size_t started, Worker& worker) noexcept;
  void record(const Part& part, double* numbers) const noexcept;
  void gather_measurements() noexcept;
  void gather(const void* mine, void* all, const std::vector<std::int64_t>& of_ranks,
              std::int64_t bytes) noexcept;
  void merge_states() noexcept;
  RunContext context_of(const Part& part) const;
  void bind(const Part& part);
  int rank_of(std::int64_t part) const;
  bool has_state() const { return !state_before_.empty(); }
  std::size_t record_size() const;

  Network& network_;
  const TrainingChunk& chunk_;
  const Ranks& ranks_;
  Communicator& control_;  // small exchanges, in the order of the steps
  Communicator& sums_;     // of gradients
  BatchRows rows_;
  const bool ordered_;       // gradients of parts are summed in their order
  const bool synchronized_;  // normalization meets

  std::vector<Part> parts_;                // of this rank
  ExecutionPlan* for_meetings_ = nullptr;  // knows of what all parts meet for
  std::vector<Layout> layouts_;
  std::vector<std::int64_t> parts_of_ranks_;
  std::int64_t all_parts_ = 0;
  std::vector<Round> rounds_;
  int busiest_ = 0;  // the first rank that computes in every round

  GradientExchange* exchange_ = nullptr;
  OrderedExchange* ordered_exchange_ = nullptr;
  PreparedAccumulation* sum_ = nullptr;

  RunContext context_;
  std::int64_t step_ = 0;
  std::int64_t trouble_part_ = -1;  // of all parts, in order
  MergedMeasurements merged_;
  Measurements part_measured_;
  std::vector<double> own_records_, all_records_;  // of parts
  std::vector<double> own_numbers_, all_numbers_;  // of a meeting
  std::vector<std::int64_t> bytes_of_ranks_;
  // What layers keep: changed by the parts, and kept once the step has succeeded.
  std::vector<std::byte> state_before_, own_states_, all_states_;
  std::vector<double> state_sum_;
  std::vector<double> counts_;  // of a histogram

  double wait_ = 0;  // seconds, as in StepTimes
  double communicate_ = 0;
  double exposed_ = 0;  // of that, while this rank did nothing else
};

}  // namespace ravine
