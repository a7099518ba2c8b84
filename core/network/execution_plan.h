// A program prepared for a batch size: operations with their buffers bound, in one arena.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "network/lowering.h"
#include "network/memory_plan.h"

namespace ravine {

// One row of `ravine describe`.
struct PlanRow {
  int phase;     // from 1; workers wait for each other between phases
  bool by_rows;  // a worker takes rows of the batch through all of the phase
  std::string section;
  std::string layer;
  std::string operation;
  std::string engine;
  std::string shape;  // of the output
  std::string type;   // of its elements, as they are stored
  double flops;
  double bytes;
  double sent;  // bytes that this rank gives to the others of its model group
};

// Rows between two classes: a second label of each, and the share of the first, in the network's element
// type.
struct Mixture {
  const std::int32_t* labels = nullptr;
  const void* shares = nullptr;  // nullptr: nothing is mixed

  Mixture from(std::int64_t row, DType dtype) const {
    if (shares == nullptr) return {};
    const auto bytes = row * static_cast<std::int64_t>(size_of(dtype));
    return {labels + row, static_cast<const std::byte*>(shares) + bytes};
  }
};

struct ParameterMemory {
  void* parameters;
  void* gradients;
  void* state;
};

// A program with all that is decided before memory is taken.
struct PlannedProgram {
  LoweredProgram lowered;
  MemoryPlan memory;
};
PlannedProgram plan_program(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                            const ComputeOptions& options, bool alone = true, Communicator* model = nullptr);

class ExecutionPlan {
 public:
  // `alone`: its rows are the whole batch; otherwise batch normalization meets with other parts of it.
  ExecutionPlan(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                const ComputeOptions& options, Backend& backend, const ParameterMemory& memory,
                bool alone = true, Communicator* model = nullptr);
  ExecutionPlan(const Graph& graph, PlannedProgram planned, Backend& backend, const ParameterMemory& memory);

  void bind_input(const void* data) { prepared_->bind(lowered_.input, const_cast<void*>(data)); }
  // Weights of the rows in the network's element type, or nullptr where all weigh the same.
  void bind_targets(const void* data, const void* weights, const Mixture& mixture = {}) {
    prepared_->bind(lowered_.targets, const_cast<void*>(data));
    prepared_->bind(lowered_.weights, const_cast<void*>(weights));
    if (lowered_.shares == no_tensor) return;
    prepared_->bind(lowered_.second_labels, const_cast<std::int32_t*>(mixture.labels));
    prepared_->bind(lowered_.shares, const_cast<void*>(mixture.shares));
  }
  // The tensors of the arrays that a batch has.
  BatchTensors batch_tensors(bool weights, bool mixture) const {
    return {lowered_.input, lowered_.targets, weights ? lowered_.weights : no_tensor,
            mixture ? lowered_.second_labels : no_tensor, mixture ? lowered_.shares : no_tensor};
  }
  // Where the output (in prediction: what is shown) goes.
  void bind_output(void* data);
  // True where the network only hands its input through, so that there is no output to bind.
  bool output_is_input() const;
  // Points the forward pass at other parameters (a look-ahead point), or back at its own with nullptr.
  void bind_parameters(const void* parameters);
  // Points the backward pass at other memory for gradients of parameters.
  void bind_gradients(void* gradients);
  // The gradient of the output, in training: to be read or replaced between loss and backward.
  void* output_gradient() { return output_gradient_; }
  void bind_output_gradient(const void* data);

  PreparedProgram& program() { return *prepared_; }
  std::int64_t batch() const { return lowered_.program.batch(); }
  const MemoryPlan& memory() const { return memory_; }
  // Of the device, for what comes from the host.
  double bytes_beside() const { return bytes_beside_; }
  // Whether a training step changes what layers keep.
  bool changes_state() const { return changes_state_; }
  // Of forward, loss and backward.
  std::size_t phases() const { return phases_; }
  // Before which phase an operation meets with the other parts of the batch, in order.
  struct PlannedMeeting {
    std::size_t phase;
    Meeting* meeting;
  };
  const std::vector<PlannedMeeting>& meetings() const { return meetings_; }
  // The last phase that writes or reads each parameter's gradient.
  const std::vector<std::size_t>& gradient_phases() const { return gradient_phases_; }
  // Whether an operation measures that layer.
  bool observes(int layer);
  double flops() const;
  double bytes_sent() const;
  std::vector<PlanRow> rows() const;

 private:
  void* in_arena(TensorId id) const;
  void find_phases();

  LoweredProgram lowered_;
  std::vector<std::string> layer_names_;
  MemoryPlan memory_;
  void* parameters_;
  double bytes_beside_ = 0;
  std::unique_ptr<Buffer> arena_;
  std::unique_ptr<PreparedProgram> prepared_;
  void* output_gradient_ = nullptr;
  bool changes_state_ = false;
  std::size_t phases_ = 0;
  std::vector<PlannedMeeting> meetings_;
  std::vector<std::size_t> gradient_phases_;
};

}  // namespace ravine
