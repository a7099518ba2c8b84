// A network at work: parameters and gradients in one buffer each, and a plan for each mode and batch size.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "network/distributions.h"
#include "network/execution_plan.h"
#include "network/graph.h"
#include "network/model_group.h"
#include "network/ranks.h"
#include "network/statistics.h"
#include "network/step_times.h"
#include "network/thread_choice.h"
#include "optimizers/optimizer.h"

namespace ravine {

struct NetworkOptions {
  std::int64_t batch = 32;
  DType dtype = DType::float32;  // of all arrays
  Device device = {};
  int threads = 0;  // 0: measured in training, up to the processors there are
  std::uint64_t seed = 0;
  ComputeOptions compute = {};
  Ranks ranks = {};
  std::int64_t ring_rows = 1024;  // recorded steps that fit before they must be drained
};

struct Evaluation {
  double loss = 0;    // sum over the rows
  double weight = 0;  // sum of the rows' weights; their number where they have none
  std::int64_t correct = 0;
  std::int64_t correct_top5 = 0;
  std::int64_t rows = 0;
};

// Throws Error(out_of_memory) where the device lacks memory for parameters, gradients and what layers keep.
void check_weights(double bytes, Backend& backend);

class GradientExchange;
class OrderedExchange;
class WeightAverage;

// Batches of the same size, one behind the other, and what changes from step to step.
struct TrainingChunk {
  const void* inputs = nullptr;
  const void* targets = nullptr;
  const void* weights = nullptr;  // of the rows; nullptr: all the same
  Mixture mixture = {};           // of the rows' labels
  bool on_device = false;         // they lie in the backend's memory, where ResidentData has made them
  std::int64_t steps = 0;
  std::int64_t batch = 0;                   // rows of each; under ranks, of this rank: 0 where it has none
  std::int64_t first_row = 0;               // place of a batch's first row in the global batch
  std::int64_t global_batch = 0;            // rows of all ranks; 0: the batch
  std::int64_t micro_batch = 0;             // rows that are computed at once; 0: the batch
  std::vector<std::string> scheduled = {};  // hyperparameters that change
  const double* schedule = nullptr;         // steps x scheduled
  double budget_seconds = 0;                // stop after this time; 0 for no limit, as it must be under ranks
  std::int64_t record_every = 1;            // steps between rows; 0: none
  StatisticsLevel statistics = StatisticsLevel::norms;
  std::int64_t full_every = 100;     // steps between distributions, where statistics are full
  WeightAverage* average = nullptr;  // takes the weights in after every update
  double loss_so_far = 0;            // where the sum of the losses begins, and that of the weights
  double weight_so_far = 0;
  // Called now and then within a step that takes long; it may throw, which gives the step up.
  std::function<void()> interrupt = nullptr;
};

struct TrainingResult {
  std::int64_t steps = 0;  // done
  double loss = 0;         // loss_so_far, plus the weighted sum over the rows of these steps
  double weight = 0;       // weight_so_far, plus the sum of the rows' weights
  std::int64_t correct = 0;
  std::int64_t rows = 0;
  std::string trouble;  // empty, or what is not finite
  std::string trouble_layer;
  int trouble_rank = -1;  // whose rows it was found in; -1 where it is no matter of one rank
};

struct DrainedRows {
  std::vector<std::int64_t> steps;
  std::vector<float> values;  // steps x columns
};

// The shortest forward pass of some, in seconds.
struct PassTimes {
  std::int64_t passes = 0;  // of each kind
  double bare = 0;
  double observed = 0;     // with the moments of all layers
  double distributed = 0;  // with a record of distributions
};

struct PlanDescription {
  std::vector<PlanRow> operations;
  double flops;
  double sent_bytes;  // that this rank gives to the others of its model group
  std::int64_t arena_bytes;
  std::int64_t unshared_bytes;
  double bytes_beside;  // of the device, for what comes from the host
};

// Calls from several threads are served one after the other.
class Network {
 public:
  Network(const NetworkSpec& spec, const Component& loss, const NetworkOptions& options);
  ~Network();

  // Draws all parameters anew, and puts what layers keep back to where it begins.
  void initialize(std::uint64_t seed);
  // Draws one parameter by another initializer.
  void initialize(const std::string& name, const Component& initializer, std::uint64_t seed);

  // By hand. `output` takes rows of the last layer's output. In training, rows is one batch.
  void forward(const void* input, std::int64_t rows, bool training, void* output);
  // Mean loss of the last forward pass. Weights of rows, here and below: one each, or nullptr.
  double loss(const void* targets, const void* weights, std::int64_t rows, const Mixture& mixture = {});
  void backward(const void* output_gradient);  // nullptr: the gradient of that loss
  std::int64_t rows_by_hand() const { return by_hand_ == nullptr ? 0 : by_hand_->batch(); }
  void look_ahead(Optimizer& optimizer);
  void step(Optimizer& optimizer);
  void attach_optimizer(Optimizer& optimizer);

  // Where asked for, the loss of each row goes to `row_losses`: its part of the weighted sum. Rows here and
  // below may lie in the backend's memory; then it is to be said, for their targets were checked there.
  Evaluation evaluate(const void* inputs, const void* targets, const void* weights, std::int64_t rows,
                      double* row_losses = nullptr, bool on_device = false);
  void predict(const void* inputs, std::int64_t rows, void* output);
  // Copies what lies in the backend's memory.
  void fetch(const void* from, void* to, std::size_t bytes);
  // Of every layer's output over one batch in evaluation, or of what its parameters give before its
  // activation; NaN for layers that compute nothing.
  std::vector<OutputMoments> moments(const void* inputs, std::int64_t rows, bool before_activation);
  TrainingResult train(Optimizer& optimizer, const TrainingChunk& chunk);

  const NetworkSpec& specification() const { return specification_; }
  const Graph& graph() const { return graph_; }
  // As one rank would have it.
  const Graph& whole_graph() const { return graph_.whole ? *graph_.whole : graph_; }
  const Loss& loss_function() const { return *loss_; }
  const NetworkOptions& options() const { return options_; }
  // Chosen so far, where the choice is left open; then it may change while training goes on.
  int threads() const { return threads_.chosen(); }
  // As the host sees them.
  std::shared_ptr<void> parameters() { return parameters_->visible(); }
  std::shared_ptr<void> gradients() { return gradients_->visible(); }
  std::shared_ptr<void> state() { return state_->visible(); }
  std::uint32_t step_number() const { return step_number_; }
  void set_step_number(std::uint32_t step) { step_number_ = step; }
  const std::vector<std::string>& columns() const { return ring_.columns(); }
  // Empties the ring of recorded steps.
  DrainedRows drain();
  // The same of times, which are recorded under ranks alone.
  std::vector<TimesRing::Row> drain_times();
  // The same of distributions. A chunk ends early where there is no room for more of them; what is not
  // drained then gives way to those of the next.
  std::vector<DistributionRecord> drain_distributions();
  // Made when it is first needed.
  Distributions& distributions();
  // What statistics cost: training passes over a batch without them and with them, by turns, until there were
  // so many or the time is over, at least one of each. Nothing is trained.
  PassTimes time_passes(const void* inputs, std::int64_t rows, bool with_distributions, std::int64_t most,
                        double seconds);
  PlanDescription describe(Mode mode, std::int64_t batch);
  // Of its device; nothing where that is the host.
  std::optional<DeviceMemory> device_memory() const { return backend_->memory(); }
  // What this rank has of each parameter and of what layers keep.
  const std::map<std::string, ArraySlice>& slices() const { return slices_; }
  // From this rank's slice of a parameter, or of something of its shape, or of what a layer keeps, to the
  // whole array on every rank. All ranks of the model group make the call.
  void gather(const std::string& name, const void* slice, void* whole, DType dtype);
  // Calls visit(mode, batch size, bytes of its arena) for each plan that has been made.
  template <typename Visit>
  void for_plans(Visit&& visit) {
    const Turn turn(*this);
    for (const auto& [key, plan] : plans_) visit(std::get<0>(key), std::get<1>(key), plan->memory().bytes);
  }

 private:
  friend class DeviceTraining;
  friend class DistributedGradient;
  friend class LocalGradient;
  friend class LocalUpdates;
  friend class ResidentData;
  friend class TrainingLoop;
  friend class WeightAverage;

  // Held during every call; refuses a call that a user's rule makes from within a step.
  class Turn {
   public:
    explicit Turn(Network& network);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Network& network_;
    std::unique_lock<std::mutex> lock_;
  };

  void attach(Optimizer& optimizer);
  std::vector<double> gradient_squares() const;  // of each parameter
  // Throws Error(device_unavailable) where the backend lacks an operation of a layer.
  void check_operations() const;
  void initialize(std::size_t index, const Component& initializer, std::uint64_t seed);
  void reset_state();
  // One that has been made before, or a new one. Parts of a batch that are computed side by side have plans
  // of their own, by number.
  ExecutionPlan& plan(Mode mode, std::int64_t batch, std::size_t number = 0);
  PlannedProgram planned(Mode mode, std::int64_t batch) const;
  std::unique_ptr<ExecutionPlan> make_plan(Mode mode, std::int64_t batch) const;
  bool can_make(Mode mode, std::int64_t batch) const;
  // Bytes that a plan takes of the device.
  double bytes_of_plan(Mode mode, std::int64_t batch) const;
  double bytes_where_possible(Mode mode, std::int64_t batch) const;
  // Throws Error(out_of_memory), which says what is needed, what is free and which batch would fit, where the
  // device lacks memory for a plan that is not there yet and so many bytes besides.
  void check_memory(Mode mode, std::int64_t batch, double besides, const std::string& what) const;
  Error out_of_memory(Mode mode, std::int64_t batch, double besides, const std::string& what) const;
  // Rows of a pass over an array of rows.
  std::int64_t rows_of_pass(Mode mode, std::int64_t rows) const;
  // Where the gradients of a batch's parts are added, or only measured; these are made when they are first
  // needed.
  PreparedAccumulation& accumulation(bool adds = true);
  GradientExchange& gradient_exchange();
  OrderedExchange& ordered_exchange();
  RunContext context(bool observe) const;
  void run(ExecutionPlan& plan, std::initializer_list<Section> sections, const RunContext& context);
  void check_targets(const void* targets, const void* weights, std::int64_t rows,
                     const Mixture& mixture = {}) const;
  // Calls visit(plan, first row) for each batch of an array of rows.
  template <typename Visit>
  void for_batches(Mode mode, std::int64_t rows, Visit&& visit);
  Communicator* model() const { return graph_.ranks > 1 ? options_.ranks.model.get() : nullptr; }
  // Of the whole parameter: collective in a model group.
  bool is_finite(std::size_t parameter) const;
  // What is not finite, and its layer. `first_row` is that of the pass that went wrong: its masks are drawn
  // again.
  std::pair<std::string, std::string> named(std::size_t parameter) const;
  std::pair<std::string, std::string> find_trouble(ExecutionPlan& plan, const void* input,
                                                   std::uint32_t first_row);

  NetworkOptions options_;
  NetworkSpec specification_;
  Graph graph_;
  std::unique_ptr<Loss> loss_;
  std::map<std::string, ArraySlice> slices_;
  std::unique_ptr<MeasurementMerge> merge_;  // of squares of parameters, in a model group
  ThreadChoice threads_;
  std::shared_ptr<Backend> backend_;
  std::shared_ptr<Buffer> parameters_;
  std::shared_ptr<Buffer> gradients_;
  std::shared_ptr<Buffer> state_;
  std::map<std::tuple<Mode, std::int64_t, std::size_t>, std::unique_ptr<ExecutionPlan>> plans_;
  std::shared_ptr<Buffer> accumulated_;
  std::unique_ptr<PreparedAccumulation> accumulation_;
  std::unique_ptr<PreparedAccumulation> measuring_;
  std::unique_ptr<GradientExchange> gradient_exchange_;
  std::unique_ptr<OrderedExchange> ordered_exchange_;
  std::vector<bool> observed_;  // layers
  StatisticsRing ring_;
  std::unique_ptr<TimesRing> times_;  // under ranks
  std::unique_ptr<Distributions> distributions_;
  std::uint32_t step_number_ = 0;     // keys the random numbers of training
  ExecutionPlan* by_hand_ = nullptr;  // the plan of the last forward pass
  bool has_loss_ = false;
  std::shared_ptr<Buffer> looking_ahead_;  // by hand, from look_ahead to step: where training plans read
  std::mutex mutex_;                       // one call at a time
  std::atomic<std::thread::id> caller_ = {};
};

}  // namespace ravine
