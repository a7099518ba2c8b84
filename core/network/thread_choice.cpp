#include "network/thread_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/processors.h"
#include "network/network.h"

namespace ravine {

ThreadChoice::ThreadChoice(int threads) : candidates_{threads}, chosen_(threads) {}

ThreadChoice::ThreadChoice(int first, int most) : candidates_{most}, chosen_(first) {
  int power = 1;
  while (power * 2 < most) power *= 2;
  for (; power >= 1 && power < most; power /= 2) candidates_.push_back(power);
  if (candidates_.size() > 1) begin();
}

void ThreadChoice::begin() {
  trying_ = true;
  turn_ = 0;
  round_ = 0;
  worth_trying_ = candidates_.size();
  seconds_per_row_.resize(candidates_.size());
  tried_ = {};
  spent_ = 0;
}

void ThreadChoice::record(double seconds, std::int64_t rows) {
  if (rows == 0 || candidates_.size() == 1) return;
  if (!trying_) {
    since_ += seconds;
    if (since_ > between_choices * spent_) begin();
    return;
  }
  spent_ += seconds;
  tried_.seconds += seconds;
  tried_.rows += rows;
  if (tried_.seconds >= least_seconds) next_try();
}

void ThreadChoice::next_try() {
  const double found = tried_.seconds / static_cast<double>(tried_.rows);
  seconds_per_row_[turn_][round_] = found;
  tried_ = {};
  // The time falls and then rises with the number of workers: where half as many are clearly slower, fewer
  // still are slower yet.
  constexpr double clearly = 1.5;
  if (round_ == 0 && turn_ > 0 && found > clearly * seconds_per_row_[turn_ - 1][0]) worth_trying_ = turn_ + 1;
  if (++turn_ < worth_trying_) return;
  turn_ = 0;
  if (++round_ == rounds) choose();
}

void ThreadChoice::choose() {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < worth_trying_; ++i) {
    std::sort(seconds_per_row_[i].begin(), seconds_per_row_[i].end());
    least = std::min(least, seconds_per_row_[i][rounds / 2]);
  }
  for (std::size_t i = 0; i < worth_trying_; ++i) {
    if (seconds_per_row_[i][rounds / 2] <= gain_of_more * least) chosen_ = candidates_[i];
  }
  trying_ = false;
  since_ = 0;
}

ThreadChoice choose_threads(const Graph& graph, const Loss& loss, const NetworkOptions& options) {
  if (options.device.kind != DeviceKind::cpu) return ThreadChoice(1);  // the one that launches kernels
  if (options.threads > 0) return ThreadChoice(options.threads);
  const LoweredProgram lowered = lower(graph, loss, Mode::training, options.batch, options.dtype);
  double flops = 0;
  for (const Step& step : lowered.program.steps) flops += flops_of(step.operation, lowered.program);
  // Until it is measured: a second worker mostly pays where a step is some tens of microseconds of work for
  // each, and hardly ever where it is less than some microseconds.
  const double processors = available_processors();
  return {static_cast<int>(std::clamp(flops / 8e6, 1.0, processors)),
          static_cast<int>(std::clamp(std::ceil(flops / 5e5), 1.0, processors))};
}

}  // namespace ravine
