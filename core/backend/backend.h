// The interface of a backend: memory, prepared programs, prepared parameter updates, and a team of workers.
//
// A step is written once, for every backend, as a function that each worker of a team runs: operations share
// their tiles among the workers and end with a barrier. A GPU backend has a team of one, which launches
// kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/measured_by.h"
#include "backend/measurements.h"
#include "backend/prepared_steps.h"
#include "backend/program.h"
#include "base/device.h"
#include "communication/communicator.h"
#include "rules/penalty.h"

namespace ravine {

// Memory on a device, zeroed, aligned to 64 bytes.
class Buffer : public std::enable_shared_from_this<Buffer> {
 public:
  virtual ~Buffer() = default;
  virtual void* data() = 0;  // on the device: what computes on the host reads, writes or sees it as below
  virtual std::size_t bytes() const = 0;
  // Copies a part, in bytes, to the host or from it.
  virtual void read(std::size_t offset, void* to, std::size_t count) = 0;
  virtual void write(std::size_t offset, const void* from, std::size_t count) = 0;
  // All of it where the host may read and write: the memory itself, or a copy, which the backend's begin_call
  // and end_call keep the same as it while somebody holds it. The buffer must be held by a shared_ptr.
  virtual std::shared_ptr<void> visible() = 0;
};

class Worker {
 public:
  virtual ~Worker() = default;
  virtual void barrier() = 0;

  int index = 0;
  int count = 1;
};

struct Histogram;

// What changes from run to run of a program.
struct RunContext {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t first_row = 0;   // position of this batch's first row in the global batch
  double batch_weight = 0;       // of the global batch, which gradients are divided by; 0: of this batch
  bool in_parts = false;         // meetings of operations are held by the caller
  bool observe = true;           // measure the outputs of layers
  bool squares = true;           // and the squares of gradients
  bool same_inputs = false;      // what is bound of the host's memory is what it was in the last run
  Histogram* outputs = nullptr;  // one a layer, which the values of its output are added to; null: none
  double* row_losses = nullptr;  // where the loss of each row is written, in evaluation; null: nowhere
};

// Of an operation whose result depends on all parts of a batch, of which the program computes one.
class Meeting {
 public:
  virtual ~Meeting() = default;
  // Numbers that a part brings.
  virtual std::int64_t size() const = 0;
  virtual void give(double* numbers) const noexcept = 0;
  // Of so many parts, in their order; what the operation writes is there afterwards.
  virtual void take(const double* numbers, std::int64_t parts) noexcept = 0;
};

class PreparedProgram {
 public:
  virtual ~PreparedProgram() = default;
  // Points a tensor (and its aliases) at memory of the backend, or of the host, from which it is then read in
  // each run, and to which it is written; takes effect at the next run.
  virtual void bind(TensorId tensor, void* data) = 0;
  // Runs the operations of some sections that follow each other. Every worker of the team calls it; it ends
  // with a barrier, after which the measurements of those sections are there.
  virtual void run(Section first, Section last, const RunContext& context, Worker& worker) noexcept = 0;
  void run(Section section, const RunContext& context, Worker& worker) noexcept {
    run(section, section, context, worker);
  }
  virtual const Measurements& measurements() const = 0;
  // Forward, loss and backward in pieces, for a caller that exchanges something with others in between: the
  // phases from `begin` up to `end`, by all workers, each with a barrier at its end; in the end one worker
  // collects the measurements.
  virtual void run_phases(std::size_t begin, std::size_t end, const RunContext& context,
                          Worker& worker) noexcept = 0;
  virtual void collect() noexcept = 0;
  // Of that step of the program; null where it has none.
  virtual Meeting* meeting(std::size_t step) = 0;
  // The sum of the weights of the rows that are bound.
  virtual double weight_of_rows() const noexcept = 0;
  // The engine chosen for each operation, for `describe`.
  virtual std::vector<std::string> engines() const = 0;
};

// A slice of the parameter buffer that is updated alike.
struct UpdateSegment {
  std::int64_t begin;
  std::int64_t end;
  bool decays;               // L1, L2 and a rule's own weight decay apply
  int layer = 0;             // its gradient is clipped together with those of the same layer
  std::int64_t unit = 0;     // elements of a unit's weights, one behind the other; 0 where there are no units
  double learning_rate = 1;  // multiplies the rule's
  double l2 = -1;            // instead of the optimizer's, where not negative
  double weight_decay = -1;  // instead of the rule's, where not negative
  bool frozen = false;       // neither it nor its slots change
  std::int64_t rows = 0;     // units of a matrix, `columns` weights each; 0 for what is no matrix
  std::int64_t columns = 0;
};

// One pass of an update rule over all parameters: the gradient with its penalties (rules/penalty.h; taken at
// the look-ahead point where there is one), then the rule, then the soft threshold and the norms of units.
class PreparedUpdate {
 public:
  virtual ~PreparedUpdate() = default;
  // Called by one worker before the others run.
  virtual void begin(const Values& settings, std::int64_t step, const Regularization& regularization) = 0;
  // What the gradient of each segment is multiplied by; 1 after begin. Called by one worker.
  virtual void scale(const std::vector<double>& scales) noexcept = 0;
  virtual void look_ahead(Worker& worker) noexcept = 0;  // ends with a barrier
  virtual void run(Worker& worker) noexcept = 0;         // ends with a barrier
  // A rule written outside the core may fail; then its error waits here, and nothing was counted as a step.
  virtual bool failed() const { return false; }
  virtual void rethrow() {}
  // Sums of squares of the new weights and of their change, per segment, after run.
  virtual const std::vector<double>& weight_squares() const = 0;
  virtual const std::vector<double>& update_squares() const = 0;
  // Steps that end with this update, which keeps them, and has them again for the same request; null where
  // they need the host.
  virtual PreparedSteps* steps(const StepRequest&) { return nullptr; }
};

struct UpdateBuffers {
  void* parameters;
  void* gradients;
  void* look_ahead;  // nullptr unless the rule looks ahead
  std::vector<void*> slots;
  std::vector<std::shared_ptr<void>> owners;  // what keeps these buffers alive
  // Makes squares of the segments those of the whole, where they are slices; collective, by one worker.
  MeasurementMerge* merge = nullptr;
};

// A slice of the parameter buffer, in elements.
struct BufferRange {
  std::int64_t begin;
  std::int64_t end;
};

// Adds the gradients of a batch's parts in a buffer of its own; without one (null) it only measures.
class PreparedAccumulation {
 public:
  virtual ~PreparedAccumulation() = default;
  // sum = weight gradient for the first part, else sum + weight gradient. Called by all workers; there is no
  // barrier at its end.
  virtual void add(double weight, bool first, Worker& worker) noexcept = 0;
  // With the last part, gradient = scale (sum + weight gradient). Ends with a barrier, after which the
  // squares are there.
  virtual void finish(double weight, double scale, Worker& worker) noexcept = 0;
  // Sums of squares of the gradient, per range.
  virtual const std::vector<double>& squares() const = 0;
  // gradient = gradient + sum, from one element up to another. There is no barrier at its end.
  virtual void add_sum(std::int64_t begin, std::int64_t end, Worker& worker) noexcept = 0;
  // The squares of the gradient as it is. Ends with a barrier.
  virtual void measure(Worker& worker) noexcept = 0;
};

// A moving average of a buffer.
class PreparedAverage {
 public:
  virtual ~PreparedAverage() = default;
  // average += rate (value - average); at a rate of 1 the value itself. Called by all workers; there is no
  // barrier at its end.
  virtual void run(double rate, Worker& worker) noexcept = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Buffer> allocate(std::size_t bytes) = 0;
  // Copies memory of this backend to the host, or memory of the host there, and waits for it; in order with
  // all that runs.
  virtual void read(const void* from, void* to, std::size_t bytes) noexcept = 0;
  virtual void write(const void* from, void* to, std::size_t bytes) noexcept = 0;
  // Of its device; nothing where that is the host.
  virtual std::optional<DeviceMemory> memory() const { return {}; }
  // Bytes of its memory that a prepared program takes beside what the caller binds.
  virtual double bytes_beside(const Program&) const { return 0; }
  // Around all that works with its buffers: takes what the host has written to what it sees of them, and
  // shows it what has changed.
  virtual void begin_call() {}
  virtual void end_call() noexcept {}
  // Whether a program may hold such an operation.
  virtual bool computes(const Operation&) const { return true; }
  // Prepares the program. The caller binds every tensor that is no alias before the first run.
  virtual std::unique_ptr<PreparedProgram> prepare(const Program& program, int layers, int parameters) = 0;
  virtual std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                                         const UpdateBuffers& buffers,
                                                         std::vector<UpdateSegment> segments) = 0;
  virtual std::unique_ptr<PreparedAccumulation> prepare_accumulation(
      DType dtype, void* gradients, void* sum, const std::vector<BufferRange>& ranges) = 0;
  virtual std::unique_ptr<PreparedAverage> prepare_average(DType dtype, const void* values, void* average,
                                                           std::int64_t count) = 0;
  // Of values in its memory, by one worker: sum += values; values *= factor; copies; zeros.
  virtual void add(DType dtype, const void* values, void* sum, std::int64_t count) noexcept = 0;
  virtual void scale(DType dtype, void* values, std::int64_t count, double factor) noexcept = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) noexcept = 0;
  virtual void clear(void* values, std::size_t bytes) noexcept = 0;
  // The same ranks for values in its memory beside those of the host; the given ones live as long as these.
  virtual std::shared_ptr<Communicator> communicator(std::shared_ptr<Communicator> ranks, Carrier) {
    return ranks;
  }
  // Adds values in this backend's memory to a histogram; one worker calls it.
  virtual void add_to_histogram(DType dtype, const void* values, std::int64_t count,
                                Histogram& histogram) noexcept = 0;
  // Runs the function on every worker of the team, with one fork and one join. The function must not throw.
  virtual void parallel(const std::function<void(Worker&)>& run) = 0;
  virtual int threads() const = 0;
  // Takes so many workers from now on: at least 1, at most as many as the backend was made for.
  virtual void use_threads(int threads) = 0;
  virtual Device device() const = 0;
  // What products of numbers rounded to bfloat16 would need and is not there; empty where nothing is missing.
  virtual std::string lacks_for_bfloat16() const = 0;
};

// What an update rule needs; throws for a name that is not in the list.
struct UpdateRuleTraits {
  std::vector<std::string> slots;
  bool looks_ahead;
  bool matrices = false;  // whether it thinks of some parameters as matrices
};
UpdateRuleTraits update_rule_traits(std::string_view rule);

// Names of the rules that have a weight decay apart from the gradient.
std::vector<std::string> update_rules_with_decay();

// Whether the activation's derivative needs its input beside its output.
bool activation_reads_input(std::string_view rule);

// Mean and variance of f(z), z ~ N(0, 1).
struct ActivationMoments {
  double mean;
  double variance;
};
ActivationMoments activation_moments(const Component& rule);

// The backend of a device. Throws Error(device_unavailable) with the reason; never falls back to another.
// `threads` is the size of the largest team on a CPU, at least 1.
std::shared_ptr<Backend> make_backend(const Device& device, int threads);
std::shared_ptr<Backend> make_cpu_backend(int threads);
std::shared_ptr<Backend> make_cuda_backend(int index);

// What a backend was built with and found, for `ravine doctor`: name, and what it says.
struct BackendReport {
  std::string name;
  bool available;
  std::string detail;
};
std::vector<BackendReport> report_cpu();
std::vector<BackendReport> report_cuda();

}  // namespace ravine
