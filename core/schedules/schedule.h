// The values that a schedule of the catalog gives a hyperparameter over a run.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/values.h"
#include "rules/schedule.h"

namespace ravine {

struct RunLength {
  std::int64_t steps;
  std::int64_t steps_per_epoch;
};

// Which steps are asked for: first, first + every, ...; step 0 is the first of the run.
struct StepRange {
  std::int64_t first;
  std::int64_t count;
  std::int64_t every;
};

std::vector<std::string_view> schedule_names();

// The values at the steps of a range. Time t is step / steps_per_epoch in epochs, or the step; during the
// warm-up w the value is eta_0 (s + (1 - s) t / w), after it that of the schedule at t - w. Throws
// Error(invalid_parameter) where the warm-up is not shorter than the run.
std::vector<double> schedule_values(const Component& schedule, double base, const RunLength& run,
                                    const StepRange& range);

// Whether the values, as those of a learning rate, satisfy Robbins and Monro's conditions.
RobbinsMonro robbins_monro(const Component& schedule, double base);

// Whether the value is changed by what is measured, so that it cannot be known ahead.
bool schedule_waits(const Component& schedule);

}  // namespace ravine
