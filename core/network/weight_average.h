// An exponential moving average of a network's parameters, taken after every update: Polyak averaging with a
// fading memory. B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
#pragma once

#include <cstdint>
#include <memory>

#include "network/network.h"

namespace ravine {

// After t updates sum d^(t-i) theta_i / sum d^(t-i), i = 1 .. t: the recursion d average + (1 - d) theta with
// its start at 0 corrected by 1 - d^t, as Adam corrects its moments. Started from the initial weights
// instead, it would hold d^t of them: half, after 700 steps with d = 0.999.
class WeightAverage {
 public:
  // The values begin as the parameters. Throws Error(invalid_parameter) unless 0 <= decay < 1.
  WeightAverage(Network& network, double decay);

  double decay() const { return decay_; }
  std::int64_t count() const { return count_; }  // updates in it
  void set_count(std::int64_t count) { count_ = count; }
  const std::shared_ptr<Buffer>& values() const { return values_; }
  DType dtype() const { return dtype_; }
  std::int64_t elements() const { return elements_; }
  // Throws Error(invalid_state) if it is another network's.
  void check_network(const Network& network) const;

  // Of an update: `begin` by one worker, a barrier, `run` by all, `end` by one; all have left `run` before
  // the next `begin`.
  void begin() { rate_ = rate(0); }
  void run(Worker& worker) noexcept { prepared_->run(rate_, worker); }
  void end() { ++count_; }
  // Of the update that comes so many after this one; for whoever runs it on a device.
  double rate(std::int64_t ahead) const;
  PreparedAverage& prepared() { return *prepared_; }

 private:
  double decay_;
  DType dtype_;
  std::int64_t elements_;
  double rate_ = 1;
  std::int64_t count_ = 0;
  std::shared_ptr<Backend> backend_;
  std::shared_ptr<Buffer> parameters_;
  std::shared_ptr<Buffer> values_;
  std::unique_ptr<PreparedAverage> prepared_;
};

}  // namespace ravine
