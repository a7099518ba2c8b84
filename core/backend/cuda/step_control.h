// What a device knows of the group of steps that it is at. The host writes it before a group; kernels read
// it, and one kernel of a step moves it on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/prepared_steps.h"
#include "base/host_device.h"

namespace ravine::cuda {

// What holds for one step, beside what the update has of it.
struct StepNumbers {
  std::uint64_t seed;
  std::uint32_t step;
  std::uint32_t first_row;
  double batch_weight;
  double clip_norm;
  double clip_layer_norm;
  double max_norm;
  double average_rate;
};

// At the beginning of the record of a group: how many steps were done, and how it ended.
struct RecordHead {
  double steps;
  double end;  // as of GroupEnd
};

struct StepControl {
  std::int64_t step;  // of the group, from 0
  std::int32_t go;    // 0 once a step was not finite
  // Of the group: numbers of its steps, its rows, and where it is recorded.
  const std::byte* numbers;
  const void* rows[batch_arrays];
  const std::int64_t* indices;
  std::byte* record;
};

// Where a kernel finds the numbers of the step: of the one that a group is at, or, without a control, always
// in one place.
struct StepPlace {
  const StepControl* control = nullptr;
  std::int64_t stride = 0;  // from step to step
  const std::byte* fixed = nullptr;

  RAVINE_HOST_DEVICE bool goes() const { return control == nullptr || control->go != 0; }
  RAVINE_HOST_DEVICE const std::byte* at(std::int64_t offset) const {
    return (control == nullptr ? fixed : control->numbers + control->step * stride) + offset;
  }
  RAVINE_HOST_DEVICE const StepNumbers& numbers() const {
    return *reinterpret_cast<const StepNumbers*>(at(0));
  }
};

// A number of the host, or one that the device finds out.
struct StepNumber {
  double value = 0;
  const double* place = nullptr;
  RAVINE_HOST_DEVICE double get() const { return place == nullptr ? value : *place; }
};

}  // namespace ravine::cuda
