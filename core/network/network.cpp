#include "network/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/errors.h"
#include "communication/thread_communicator.h"
#include "initializers/initializer.h"
#include "network/gradient_exchange.h"
#include "network/model_group.h"
#include "network/ordered_exchange.h"

namespace ravine {
namespace {

std::vector<bool> observed_in_training(const Graph& graph, const Loss& loss, const NetworkOptions& options) {
  return observed_layers(lower(graph, loss, Mode::training, options.batch, options.dtype), graph);
}

std::unique_ptr<Loss> make_checked_loss(const Component& component, const Graph& graph) {
  auto loss = make_loss(component);
  try {
    loss->check_output(graph.output());
  } catch (Error& error) {
    throw error.at_layer(graph.layers.back().name);
  }
  return loss;
}

template <typename T>
bool all_finite(const void* values, std::int64_t count) {
  const T* begin = static_cast<const T*>(values);
  return std::all_of(begin, begin + count, [](T value) { return std::isfinite(value); });
}

bool all_finite(DType dtype, const void* values, std::int64_t count) {
  return dtype == DType::float64 ? all_finite<double>(values, count) : all_finite<float>(values, count);
}

// A parameter's part of a buffer.
template <typename T>
std::vector<T> values_of(Buffer& buffer, const GraphParameter& parameter) {
  std::vector<T> values(static_cast<std::size_t>(parameter.spec.shape.elements()));
  buffer.read(static_cast<std::size_t>(parameter.offset) * sizeof(T), values.data(),
              values.size() * sizeof(T));
  return values;
}

const std::byte* rows_from(const void* data, std::int64_t row, std::int64_t bytes_per_row) {
  return data == nullptr ? nullptr : static_cast<const std::byte*>(data) + row * bytes_per_row;
}

}  // namespace

Network::Network(const NetworkSpec& spec, const Component& loss, const NetworkOptions& options)
    : options_(options),
      specification_(spec),
      graph_(part_of(infer(spec), spec, options.ranks)),
      loss_(make_checked_loss(loss, graph_)),
      slices_(slices_of(graph_)),
      merge_(merge_of(graph_, options.ranks)),
      threads_(choose_threads(graph_, *loss_, options)),
      backend_(make_backend(options.device, threads_.most())),
      observed_(observed_in_training(whole_graph(), *loss_, options)),
      ring_(graph_, loss_->has_accuracy(), observed_, options.ring_rows) {
  if (options.batch < 1) {
    throw Error(ErrorCode::invalid_parameter, "the batch size must be at least 1").at_key("batch_size");
  }
  const std::string lacks = options.compute.bfloat16 ? backend_->lacks_for_bfloat16() : "";
  if (!lacks.empty()) {
    throw Error(ErrorCode::device_unavailable, "bfloat16 needs " + lacks + "; use float32").at_key("dtype");
  }
  check_operations();
  backend_->use_threads(threads_.chosen());
  const auto bytes = static_cast<std::size_t>(graph_.parameter_elements) * size_of(options.dtype);
  const std::size_t state = static_cast<std::size_t>(graph_.state_elements) * size_of(options.dtype);
  check_weights(static_cast<double>(2 * bytes + state), *backend_);
  parameters_ = backend_->allocate(bytes);
  gradients_ = backend_->allocate(bytes);
  state_ = backend_->allocate(state);
  if (options.ranks.work_together()) {
    if (options_.ranks.data == nullptr) options_.ranks.data = std::move(thread_communicators(1).front());
    times_ = std::make_unique<TimesRing>(options.ring_rows);
  }
  for (auto* ranks : {&options_.ranks.data, &options_.ranks.model}) {
    if (*ranks != nullptr) *ranks = backend_->communicator(*ranks, options_.ranks.carrier);
  }
  initialize(options.seed);
}

Network::~Network() = default;

void Network::check_operations() const {
  if (options_.device.kind == DeviceKind::cpu) return;  // which has them all
  const LoweredProgram lowered = lower(graph_, *loss_, Mode::training, options_.batch, options_.dtype);
  for (const Step& step : lowered.program.steps) {
    if (backend_->computes(step.operation)) continue;
    Error error(ErrorCode::device_unavailable, "device " + options_.device.to_string() + " has no " +
                                                   name_of(step.operation) + " yet; use device cpu");
    throw step.layer < 0 ? error : error.at_layer(graph_.layers[static_cast<std::size_t>(step.layer)].name);
  }
}

void Network::initialize(std::uint64_t seed) {
  const Turn turn(*this);
  for (std::size_t i = 0; i < graph_.parameters.size(); ++i) {
    initialize(i, graph_.parameters[i].spec.initializer, seed);
  }
  reset_state();
}

void Network::reset_state() {
  const auto fill = [&]<typename T>(T) {
    std::vector<T> values(static_cast<std::size_t>(graph_.state_elements));
    for (const GraphState& state : graph_.state) {
      std::fill_n(values.begin() + state.offset, state.spec.shape.elements(),
                  static_cast<T>(state.spec.initial));
    }
    state_->write(0, values.data(), values.size() * sizeof(T));
  };
  options_.dtype == DType::float64 ? fill(double{}) : fill(float{});
}

void Network::initialize(const std::string& name, const Component& initializer, std::uint64_t seed) {
  const Turn turn(*this);
  for (std::size_t i = 0; i < graph_.parameters.size(); ++i) {
    if (graph_.parameters[i].name == name) return initialize(i, initializer, seed);
  }
  throw Error(ErrorCode::invalid_parameter, "the network has no parameter '" + name + "'").at_key("name");
}

void Network::initialize(std::size_t index, const Component& initializer, std::uint64_t seed) {
  const GraphParameter& parameter = graph_.parameters[index];
  const auto draw = [&]<typename T>(T) {
    std::vector<T> values(static_cast<std::size_t>(parameter.spec.shape.elements()));
    ravine::initialize(initializer, parameter.slice.whole, parameter.spec.fans.in, parameter.spec.fans.out,
                       seed, static_cast<int>(index), parameter.slice.first, parameter.spec.shape.elements(),
                       values.data());
    parameters_->write(static_cast<std::size_t>(parameter.offset) * sizeof(T), values.data(),
                       values.size() * sizeof(T));
  };
  try {
    options_.dtype == DType::float64 ? draw(double{}) : draw(float{});
  } catch (Error& error) {
    throw error.at_layer(graph_.layers[static_cast<std::size_t>(parameter.layer)].name);
  }
}

Network::Turn::Turn(Network& network) : network_(network), lock_(network.mutex_, std::defer_lock) {
  if (network_.caller_.load() == std::this_thread::get_id()) {
    throw Error(ErrorCode::invalid_state, "the network is in the middle of a step; a rule must not call it");
  }
  lock_.lock();
  network_.backend_->begin_call();
  network_.caller_.store(std::this_thread::get_id());
}

Network::Turn::~Turn() {
  network_.caller_.store({});
  network_.backend_->end_call();
}

RunContext Network::context(bool observe) const {
  return {.seed = options_.seed, .step = step_number_, .observe = observe};
}

void Network::run(ExecutionPlan& plan, std::initializer_list<Section> sections, const RunContext& context) {
  backend_->parallel([&](Worker& worker) {
    for (Section section : sections) plan.program().run(section, context, worker);
  });
}

template <typename Visit>
void Network::for_batches(Mode mode, std::int64_t rows, Visit&& visit) {
  const std::int64_t batch = rows_of_pass(mode, rows);
  for (std::int64_t row = 0; row < rows; row += batch) {
    visit(plan(mode, std::min(batch, rows - row)), row);
  }
}

void Network::forward(const void* input, std::int64_t rows, bool training, void* output) {
  const Turn turn(*this);
  has_loss_ = false;
  by_hand_ = nullptr;
  const auto element = static_cast<std::int64_t>(size_of(options_.dtype));
  const std::int64_t input_bytes = graph_.input.elements() * element;
  const std::int64_t output_bytes = graph_.output().elements() * element;
  const auto run_batch = [&](ExecutionPlan& plan, std::int64_t row) {
    std::byte* to = static_cast<std::byte*>(output) + row * output_bytes;
    const std::byte* from = rows_from(input, row, input_bytes);
    plan.bind_input(from);
    plan.bind_output(to);
    run(plan, {Section::forward}, context(true));
    if (plan.changes_state()) run(plan, {Section::state}, context(true));
    if (plan.output_is_input()) std::memcpy(to, from, static_cast<std::size_t>(plan.batch() * output_bytes));
    by_hand_ = &plan;
  };
  if (training) {
    run_batch(plan(Mode::training, rows), 0);
  } else if (rows <= std::max<std::int64_t>(options_.batch, 256)) {
    run_batch(plan(Mode::evaluation, rows), 0);
  } else {
    for_batches(Mode::evaluation, rows, run_batch);
    by_hand_ = nullptr;  // a loss needs the whole output in one plan
  }
}

double Network::loss(const void* targets, const void* weights, std::int64_t rows, const Mixture& mixture) {
  const Turn turn(*this);
  if (by_hand_ == nullptr) {
    throw Error(ErrorCode::invalid_state, "loss needs a forward pass of one batch before it");
  }
  if (by_hand_->batch() != rows) {
    throw Error(ErrorCode::shape_mismatch, "the loss got targets for " + std::to_string(rows) +
                                               " rows, but the last forward pass had " +
                                               std::to_string(by_hand_->batch()))
        .at_key("targets");
  }
  check_targets(targets, weights, rows, mixture);
  by_hand_->bind_targets(targets, weights, mixture);
  run(*by_hand_, {Section::loss}, context(true));
  has_loss_ = true;
  return mean_loss(by_hand_->program().measurements());
}

void Network::backward(const void* output_gradient) {
  const Turn turn(*this);
  if (by_hand_ == nullptr || by_hand_->output_gradient() == nullptr) {
    throw Error(ErrorCode::invalid_state, "backward needs forward(..., training=True) before it");
  }
  if (output_gradient == nullptr && !has_loss_) {
    throw Error(ErrorCode::invalid_state, "backward needs loss(targets) before it, or an output gradient");
  }
  by_hand_->bind_output_gradient(output_gradient);
  run(*by_hand_, {Section::backward}, context(true));
  by_hand_->bind_output_gradient(nullptr);
  by_hand_ = nullptr;  // the arena has been used again: another backward pass needs another forward pass
}

void Network::attach_optimizer(Optimizer& optimizer) {
  const std::lock_guard optimizer_lock(optimizer.mutex());
  attach(optimizer);
}

void Network::attach(Optimizer& optimizer) {
  if (graph_.ranks > 1) check_optimizer(optimizer, graph_);
  if (!optimizer.attached_to(parameters_->data())) {
    check_memory(Mode::training, 0, optimizer.bytes_on_device(graph_.parameter_elements, options_.dtype),
                 optimizer.rule().name);
  }
  std::vector<UpdateSegment> segments;
  std::vector<std::string> names;
  for (const GraphParameter& parameter : graph_.parameters) {
    const Shape& shape = parameter.spec.shape;
    UpdateSegment segment{parameter.offset, parameter.offset + shape.elements(), parameter.spec.decays};
    segment.layer = parameter.layer;
    const Shape& whole = parameter.slice.whole;
    if (parameter.spec.decays && whole.rank() > 1) segment.unit = whole.elements() / whole[0];
    if (parameter.spec.matrix) {
      segment.rows = shape[0];
      segment.columns = whole.elements() / whole[0];
    }
    segments.push_back(segment);
    names.push_back(parameter.name);
  }
  auto owner =
      std::make_shared<std::pair<std::shared_ptr<Buffer>, std::shared_ptr<Buffer>>>(parameters_, gradients_);
  optimizer.attach({backend_, options_.dtype, graph_.parameter_elements, parameters_->data(),
                    gradients_->data(), std::move(segments), std::move(names), std::move(owner),
                    merge_.get()});
}

void Network::look_ahead(Optimizer& optimizer) {
  const Turn turn(*this);
  const std::lock_guard optimizer_lock(optimizer.mutex());
  attach(optimizer);
  if (optimizer.look_ahead() == nullptr) return;
  optimizer.begin();
  backend_->parallel([&](Worker& worker) { optimizer.run_look_ahead(worker); });
  looking_ahead_ = optimizer.look_ahead_buffer();
  for (auto& [key, plan] : plans_) {
    if (std::get<0>(key) == Mode::training) plan->bind_parameters(looking_ahead_->data());
  }
}

std::vector<double> Network::gradient_squares() const {
  std::vector<double> squares;
  const auto add_squares = [&](const auto& values) {
    double sum = 0;
    for (const double g : values) sum += g * g;
    squares.push_back(sum);
  };
  for (const GraphParameter& parameter : graph_.parameters) {
    if (options_.dtype == DType::float64) {
      add_squares(values_of<double>(*gradients_, parameter));
    } else {
      add_squares(values_of<float>(*gradients_, parameter));
    }
  }
  if (merge_ != nullptr) merge_->squares(squares);
  return squares;
}

void Network::step(Optimizer& optimizer) {
  const Turn turn(*this);
  const std::lock_guard optimizer_lock(optimizer.mutex());
  attach(optimizer);
  if (optimizer.is_full_batch()) {
    throw Error(ErrorCode::invalid_state,
                optimizer.rule().name +
                    " evaluates the loss at several points in a step, which a step by hand "
                    "has no part in; use network.train or a Trainer");
  }
  optimizer.begin();
  if (optimizer.clips()) optimizer.clip(gradient_squares());
  backend_->parallel([&](Worker& worker) { optimizer.run(worker); });
  optimizer.prepared().rethrow();
  optimizer.end();
  step_number_ = static_cast<std::uint32_t>(optimizer.step_count());
  looking_ahead_.reset();
  for (auto& [key, plan] : plans_) {
    if (std::get<0>(key) == Mode::training) plan->bind_parameters(nullptr);
  }
}

Evaluation Network::evaluate(const void* inputs, const void* targets, const void* weights, std::int64_t rows,
                             double* row_losses, bool on_device) {
  const Turn turn(*this);
  if (rows == 0) throw Error(ErrorCode::shape_mismatch, "there are no rows to evaluate").at_key("inputs");
  if (!on_device) check_targets(targets, weights, rows);
  const auto element = static_cast<std::int64_t>(size_of(options_.dtype));
  const std::int64_t input_bytes = graph_.input.elements() * element;
  const std::int64_t target_bytes = loss_->target_kind() == TargetKind::labels
                                        ? static_cast<std::int64_t>(sizeof(std::int32_t))
                                        : graph_.output().elements() * element;
  Evaluation evaluation;
  for_batches(Mode::evaluation, rows, [&](ExecutionPlan& plan, std::int64_t row) {
    plan.bind_input(rows_from(inputs, row, input_bytes));
    plan.bind_targets(rows_from(targets, row, target_bytes), rows_from(weights, row, element));
    plan.bind_output(nullptr);
    RunContext run_context = context(false);
    run_context.row_losses = row_losses == nullptr ? nullptr : row_losses + row;
    run(plan, {Section::forward, Section::loss}, run_context);
    const Measurements& measured = plan.program().measurements();
    evaluation.loss += measured.loss;
    evaluation.weight += measured.weight;
    evaluation.correct += measured.correct;
    evaluation.correct_top5 += measured.correct_top5;
  });
  evaluation.rows = rows;
  by_hand_ = nullptr;
  return evaluation;
}

std::vector<OutputMoments> Network::moments(const void* inputs, std::int64_t rows, bool before_activation) {
  const Turn turn(*this);
  if (rows == 0) throw Error(ErrorCode::shape_mismatch, "there are no rows").at_key("inputs");
  ExecutionPlan& chosen = plan(before_activation ? Mode::net_moments : Mode::moments, rows);
  chosen.bind_input(inputs);
  chosen.bind_output(nullptr);
  run(chosen, {Section::forward}, context(true));
  by_hand_ = nullptr;
  std::vector<OutputMoments> measured = chosen.program().measurements().layers;
  constexpr double absent = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (!chosen.observes(static_cast<int>(i))) measured[i] = {absent, absent, absent};
  }
  return measured;
}

void Network::predict(const void* inputs, std::int64_t rows, void* output) {
  const Turn turn(*this);
  const auto element = static_cast<std::int64_t>(size_of(options_.dtype));
  const std::int64_t input_bytes = graph_.input.elements() * element;
  const std::int64_t output_bytes = graph_.output().elements() * element;
  for_batches(Mode::prediction, rows, [&](ExecutionPlan& plan, std::int64_t row) {
    std::byte* to = static_cast<std::byte*>(output) + row * output_bytes;
    const std::byte* from = rows_from(inputs, row, input_bytes);
    plan.bind_input(from);
    plan.bind_output(to);
    run(plan, {Section::forward}, context(false));
    if (plan.output_is_input())
      backend_->read(from, to, static_cast<std::size_t>(plan.batch() * output_bytes));
  });
}

void Network::fetch(const void* from, void* to, std::size_t bytes) {
  const Turn turn(*this);
  backend_->read(from, to, bytes);
}

bool Network::is_finite(std::size_t index) const {
  const GraphParameter& parameter = graph_.parameters[index];
  const std::int64_t count = parameter.spec.shape.elements();
  const bool finite = options_.dtype == DType::float64
                          ? all_finite<double>(values_of<double>(*parameters_, parameter).data(), count)
                          : all_finite<float>(values_of<float>(*parameters_, parameter).data(), count);
  if (model() == nullptr) return finite;
  double broken = finite ? 0 : 1;
  model()->sum(&broken, 1, DType::float64);
  return broken == 0;
}

std::pair<std::string, std::string> Network::named(std::size_t parameter) const {
  const GraphParameter& found = graph_.parameters[parameter];
  return {"the parameter " + found.name, graph_.layers[static_cast<std::size_t>(found.layer)].name};
}

std::pair<std::string, std::string> Network::find_trouble(ExecutionPlan& plan, const void* input,
                                                          std::uint32_t first_row) {
  for (std::size_t i = 0; i < graph_.parameters.size(); ++i) {
    if (!is_finite(i)) return named(i);
  }
  const std::int64_t values = plan.batch() * graph_.input.elements();
  std::vector<std::byte> copied(static_cast<std::size_t>(values) * size_of(options_.dtype));
  backend_->read(input, copied.data(), copied.size());
  if (!all_finite(options_.dtype, copied.data(), values)) return {"the input", ""};
  RunContext again = context(true);
  again.first_row = first_row;
  run(plan, {Section::forward}, again);
  const Measurements& measured = plan.program().measurements();
  for (std::size_t i = 0; i < graph_.layers.size(); ++i) {
    const OutputMoments& moments = measured.layers[i];
    if (!std::isfinite(moments.mean) || !std::isfinite(moments.variance)) {
      return {"the output", graph_.layers[i].name};
    }
  }
  if (!std::isfinite(measured.loss)) return {"the loss", graph_.layers.back().name};
  for (std::size_t i = graph_.parameters.size(); i-- > 0;) {
    if (!std::isfinite(measured.gradient_squares[i])) {
      const GraphParameter& parameter = graph_.parameters[i];
      return {"the gradient of " + parameter.name,
              graph_.layers[static_cast<std::size_t>(parameter.layer)].name};
    }
  }
  return {"the gradient", graph_.layers.front().name};
}

}  // namespace ravine
