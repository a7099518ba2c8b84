// What a training step on a device consists of beside its program and its update.
#pragma once

#include <array>
#include <vector>

#include "backend/cuda/device_context.h"
#include "backend/cuda/operation.h"
#include "backend/cuda/step_control.h"
#include "backend/cuda/stream.h"
#include "backend/cuda/tiles.h"

namespace ravine::cuda {

// Begins a group by its control, but for what it says of `go`: that stays as it is unless the group is the
// first of some.
void begin_group(Stream& stream, const StepControl& control, bool first, StepControl* place) noexcept;

// Where the rows of a part of a batch go.
struct RowsField {
  std::byte* to = nullptr;  // null: the batch has no such array
  std::int64_t row_bytes = 0;
};

// Copies the rows of a part into the tensors of its program, and says what step it is.
struct TakenRows {
  std::array<RowsField, batch_arrays> fields;
  std::int64_t batch;      // rows of a step
  std::int64_t first_row;  // of the part
  std::int64_t rows;
};
void take_rows(Stream& stream, const StepPlace& place, const TakenRows& taken) noexcept;

// Adds what a part has measured to what those before it have.
struct MergedParts {
  MeasuredPlaces part;
  MeasuredPlaces whole;
  std::int64_t rows_before;
  std::int64_t rows;
  bool observe;  // outputs of layers too
};
void merge_part(Stream& stream, const MergedParts& merged) noexcept;

// The layers that gradients are clipped by: which segments each has that are not frozen.
class ClippedLayers {
 public:
  ClippedLayers(Stream& stream, const std::vector<UpdateSegment>& segments);

  struct Tables {
    const std::int32_t* layer_of;  // each segment
    const std::int32_t* first;     // of each layer, and the end, among
    const std::int32_t* members;   // segments
    double* squares;               // of each layer
    double* scales;                // of each segment
    std::int64_t segments;
    std::int64_t layers;
  };
  Tables tables() const;

 private:
  Array<std::int32_t> layer_of_;
  Array<std::int32_t> first_;
  Array<std::int32_t> members_;
  Array<double> squares_;
  Array<double> scales_;
};

// Whether loss and gradient are finite, and how the gradient is clipped. Here and below, sums are made first;
// `arrived` is a number of 0 on the device.
void decide(Stream& stream, const StepPlace& place, const double* loss, const TileSums& gradient_squares,
            const ClippedLayers::Tables& layers, std::uint32_t* arrived) noexcept;

// State that parts of a batch have changed: kept before the first, and put back where the step is given up.
void keep_state(Stream& stream, const void* state, void* kept, std::int64_t bytes) noexcept;
void restore_state(Stream& stream, const StepPlace& place, const void* kept, void* state,
                   std::int64_t bytes) noexcept;

// Records the step, and goes on to the next one if its weights are finite.
struct RecordedStep {
  const double* measured;
  std::int64_t measured_count;
  const double* gradient_squares;
  const double* update_squares;  // of weights, then of updates
  std::int64_t segments;

  RAVINE_HOST_DEVICE std::int64_t count() const { return measured_count + 3 * segments; }
};
// The sums are null where the update has made them.
void finish_step(Stream& stream, const StepPlace& place, const RecordedStep& recorded, const TileSums* sums,
                 std::uint32_t* arrived) noexcept;

}  // namespace ravine::cuda
