// Training steps that a device makes one after the other, without a stop for the host between them.
//
// The host says what holds for each step of a group, puts the group onto the device, and reads what was
// measured while the device is at the next one. A step that is not finite changes nothing that is kept, and
// no step after it does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/measurements.h"
#include "backend/tensor.h"
#include "rules/penalty.h"

namespace ravine {

class Buffer;
class PreparedAccumulation;
class PreparedAverage;
class PreparedProgram;
struct RunContext;

// What a batch is made of: inputs, targets, weights of the rows, their second labels, shares of the first.
inline constexpr std::size_t batch_arrays = 5;
using BatchTensors = std::array<TensorId, batch_arrays>;  // no_tensor where there are none

// The rows of a group, of each array one behind the other, all in memory of the host or of the device.
struct StepRows {
  std::array<const void*, batch_arrays> arrays = {};
  bool on_device = false;
  // On the device: which rows of the arrays these are, one number a row; null: those from the first on.
  const std::int64_t* indices = nullptr;
};

// What a step is made of. Everything in it outlives the steps, but for the average.
struct StepRequest {
  struct Part {
    PreparedProgram* program;
    BatchTensors tensors;  // that are filled for it
    std::int64_t rows;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;  // of a batch, in their order
  std::int64_t batch = 0;   // rows of all
  // Of the gradients: adds those of several parts, measures those of one.
  PreparedAccumulation* gradients = nullptr;
  PreparedAverage* average = nullptr;  // null for none
  Buffer* state = nullptr;             // what layers keep; null where steps do not change it
};

struct StepSettings {
  const RunContext& context;
  const Regularization& regularization;
  double average_rate = 1;
};

struct StepResult {
  Measurements measured;
  std::vector<double> weight_squares;  // as of PreparedUpdate
  std::vector<double> update_squares;
};

// Why a group ended: with its last step, or because the loss or gradient of the next one was not finite,
// which then changed nothing, or the squares of its weights, which then have changed.
enum class GroupEnd { all, gradient, weights };

struct GroupResult {
  std::int64_t steps = 0;  // done
  GroupEnd end = GroupEnd::all;
};

class PreparedSteps {
 public:
  virtual ~PreparedSteps() = default;
  // Steps of a group, at most. Two groups may be under way.
  virtual std::int64_t most() const = 0;
  // Before the first group of some, and after one that ended early.
  virtual void begin() = 0;
  // One more step of the next group, by what its update has begun with. Throws no error.
  virtual void add(const StepSettings& settings) = 0;
  // Puts that group onto the device. The rows may change when it has come back, if they are the host's.
  virtual void launch(const StepRows& rows) = 0;
  // Waits for the first group that is under way. Throws Error(internal) after a failure of the device.
  virtual GroupResult wait() = 0;
  // A step of that group, up to the one that ended it by its weights.
  virtual void read(std::int64_t step, StepResult& result) const = 0;

  double step_seconds = 0;  // as they were last; 0: not known. For whoever makes groups.
};

}  // namespace ravine
