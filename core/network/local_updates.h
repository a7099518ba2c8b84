// Ranks that step alone, each by the gradient of its own rows, and average what they have every so many
// steps. S. U. Stich, "Local SGD converges fast and communicates little", ICLR 2019.
//
// The optimizer's slots are averaged with the parameters: H. Yu, R. Jin, S. Yang, ICML 2019, for momentum;
// X. Chen, X. Li, P. Li, 2020, for Adam. So are moving averages of layers. All ranks count alike: their
// shares of the rows since the last average differ by one row a step, whatever those of the last step are.
#pragma once

#include <optional>
#include <vector>

#include "network/local_gradient.h"

namespace ravine {

class LocalUpdates final : public BatchGradient {
 public:
  LocalUpdates(Network& network, const TrainingChunk& chunk);

  void bind_parameters(const void* parameters) override;
  void begin(std::int64_t step, const RunContext& context) override;
  bool compute(Worker& worker) noexcept override;
  const Measurements& measured() const override { return inner_ ? inner_->measured() : nothing_; }
  void keep_state(Worker& worker) noexcept override;
  Trouble find_trouble() override;
  std::int64_t rows() const override { return chunk_.batch; }
  bool on_any_rank(bool here) noexcept override;
  bool has_rows() const override { return inner_.has_value(); }
  bool after_update(Optimizer& optimizer, Worker& worker) noexcept override;
  void finish(TrainingResult& result) override;
  StepTimes take_times(double seconds) noexcept override;

 private:
  struct Buffer {
    void* values;
    std::int64_t count;
    DType dtype;
  };

  // What every rank says at the same points: before averages, and in the end.
  bool agree(bool trouble, bool here) noexcept;
  void average(const Buffer& buffer, Worker& worker) noexcept;

  Network& network_;
  const TrainingChunk& chunk_;
  Communicator& control_;
  Communicator& sums_;
  std::optional<LocalGradient> inner_;  // of a rank that has rows
  Measurements nothing_;
  std::vector<char> said_;
  std::vector<std::int64_t> bytes_of_ranks_;
  int trouble_rank_ = -1;
  double wait_ = 0;
  double communicate_ = 0;
};

}  // namespace ravine
