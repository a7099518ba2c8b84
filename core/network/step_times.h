// How a rank spends its steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravine {

// Seconds of one step. It takes compute + wait + communicate - overlapped.
struct StepTimes {
  double compute = 0;
  double wait = 0;         // for ranks that come later
  double communicate = 0;  // while sums of gradients are on their way
  double overlapped = 0;   // the part of that in which this rank computes
};

// The last recorded steps, until they are drained.
class TimesRing {
 public:
  struct Row {
    std::int64_t step;
    StepTimes times;
  };

  explicit TimesRing(std::int64_t rows) : rows_(static_cast<std::size_t>(rows)) {}

  void record(std::int64_t step, const StepTimes& times) {
    rows_[next_] = {step, times};
    next_ = (next_ + 1) % rows_.size();
    if (held_ < rows_.size()) ++held_;
  }
  // Moves them out, the oldest first.
  std::vector<Row> drain() {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < held_; ++i)
      rows.push_back(rows_[(next_ + rows_.size() - held_ + i) % rows_.size()]);
    held_ = 0;
    return rows;
  }

 private:
  std::vector<Row> rows_;
  std::size_t next_ = 0;
  std::size_t held_ = 0;
};

}  // namespace ravine
