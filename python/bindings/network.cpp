#include "network/network.h"

#include <cmath>

#include "base/errors.h"
#include "bindings.h"
#include "catalog/catalog.h"
#include "chosen_samples.h"
#include "network_arrays.h"

namespace ravine::bindings {

const void* checked_inputs(const Network& network, const py::array& inputs, std::int64_t* rows) {
  return checked_rows(inputs, network.options().dtype, network.graph().input, "inputs", rows);
}

const void* checked_targets(const Network& network, const py::array& targets, std::int64_t expected) {
  const bool labels = network.loss_function().target_kind() == TargetKind::labels;
  std::int64_t rows = 0;
  const void* data = checked_rows(targets, labels ? DType::int32 : network.options().dtype,
                                  labels ? Shape{} : network.graph().output(), "targets", &rows);
  if (expected >= 0 && rows != expected) {
    throw Error(ErrorCode::shape_mismatch,
                "got " + std::to_string(rows) + " rows for " + std::to_string(expected) + " rows of inputs")
        .at_key("targets");
  }
  return data;
}

// Null where there are none.
const void* checked_weights(const Network& network, const std::optional<py::array>& weights,
                            std::int64_t expected) {
  if (!weights) return nullptr;
  std::int64_t rows = 0;
  const void* data = checked_rows(*weights, network.options().dtype, Shape{}, "weights", &rows);
  if (rows != expected) {
    throw Error(ErrorCode::shape_mismatch, "got " + std::to_string(rows) + " weights for " +
                                               std::to_string(expected) + " rows; give one a row")
        .at_key("weights");
  }
  return data;
}

Mixture checked_mixture(const Network& network, const std::optional<MixtureArrays>& mixture,
                        std::int64_t expected) {
  if (!mixture) return {};
  std::int64_t labels = 0, shares = 0;
  const void* label_data = checked_rows(mixture->first, DType::int32, Shape{}, "mixture", &labels);
  const void* share_data =
      checked_rows(mixture->second, network.options().dtype, Shape{}, "mixture", &shares);
  if (labels != expected || shares != expected) {
    throw Error(ErrorCode::shape_mismatch, "got " + std::to_string(labels) + " labels and " +
                                               std::to_string(shares) + " shares for " +
                                               std::to_string(expected) + " rows; give one a row")
        .at_key("mixture");
  }
  return {static_cast<const std::int32_t*>(label_data), share_data};
}

namespace {

// The arrays of a pass by hand are read again by loss and backward: the Python object holds them until the
// next.
py::array forward(const py::object& self, const py::array& inputs, bool training) {
  auto& network = self.cast<Network&>();
  std::int64_t rows = 0;
  const void* data = checked_inputs(network, inputs, &rows);
  if (rows == 0) throw Error(ErrorCode::shape_mismatch, "there are no rows").at_key("inputs");
  py::array output = new_output(network, rows);
  void* to = output.mutable_data();
  {
    const py::gil_scoped_release release;
    network.forward(data, rows, training, to);
  }
  self.attr("_pass") = py::make_tuple(inputs, output);
  if (training) output.attr("setflags")(py::arg("write") = false);  // loss and backward read it
  return output;
}

py::dict moments(Network& network, const py::array& inputs, bool before_activation) {
  std::int64_t rows = 0;
  const void* data = checked_inputs(network, inputs, &rows);
  std::vector<OutputMoments> measured;
  {
    const py::gil_scoped_release release;
    measured = network.moments(data, rows, before_activation);
  }
  py::dict layers;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (std::isnan(measured[i].zeros)) continue;
    py::dict row;
    row["mean"] = measured[i].mean;
    row["variance"] = measured[i].variance;
    row["zeros"] = measured[i].zeros;
    layers[py::str(network.graph().layers[i].name)] = row;
  }
  return layers;
}

py::dict metrics(const Network& network, const Evaluation& evaluation) {
  py::dict metrics;
  metrics["loss"] = evaluation.weight > 0 ? evaluation.loss / evaluation.weight : evaluation.loss;
  const auto rows = static_cast<double>(evaluation.rows);
  if (network.loss_function().has_accuracy() && evaluation.rows > 0) {
    metrics["accuracy"] = static_cast<double>(evaluation.correct) / rows;
    if (network.loss_function().target_kind() == TargetKind::labels && network.graph().output().back() > 5) {
      metrics["top5"] = static_cast<double>(evaluation.correct_top5) / rows;
    }
  }
  return metrics;
}

Evaluation sum_of(const Evaluation& left, const Evaluation& right) {
  return {left.loss + right.loss, left.weight + right.weight, left.correct + right.correct,
          left.correct_top5 + right.correct_top5, left.rows + right.rows};
}

void backward(Network& network, const std::optional<py::array>& output_gradient) {
  const void* data = nullptr;
  if (output_gradient) {
    std::int64_t rows = 0;
    data = checked_rows(*output_gradient, network.options().dtype, network.graph().output(),
                        "output_gradient", &rows);
    if (rows != network.rows_by_hand()) {
      throw Error(ErrorCode::shape_mismatch, "got " + std::to_string(rows) +
                                                 " rows after a forward pass of " +
                                                 std::to_string(network.rows_by_hand()))
          .at_key("output_gradient");
    }
  }
  const py::gil_scoped_release release;
  network.backward(data);
}

py::tuple drain(Network& network) {
  DrainedRows drained;
  {
    const py::gil_scoped_release release;
    drained = network.drain();
  }
  const auto rows = static_cast<py::ssize_t>(drained.steps.size());
  const auto columns = static_cast<py::ssize_t>(network.columns().size());
  py::array_t<std::int64_t> steps(rows);
  py::array_t<float> values(std::vector<py::ssize_t>{rows, columns});
  std::copy(drained.steps.begin(), drained.steps.end(), steps.mutable_data());
  std::copy(drained.values.begin(), drained.values.end(), values.mutable_data());
  return py::make_tuple(steps, values);
}

// By name, of parts of a buffer as the host sees it.
template <typename Parts>
py::dict named_views(const Network& network, const std::shared_ptr<void>& buffer, const Parts& parts) {
  const DType dtype = network.options().dtype;
  const py::capsule owner = owner_of(buffer);
  py::dict views;
  for (const auto& part : parts) {
    auto* data =
        static_cast<std::byte*>(buffer.get()) + part.offset * static_cast<std::int64_t>(size_of(dtype));
    views[py::str(part.name)] = view(data, dtype, part.spec.shape, owner);
  }
  return views;
}

py::array flat_view(const Network& network, const std::shared_ptr<void>& buffer) {
  return view(buffer.get(), network.options().dtype, {network.graph().parameter_elements}, owner_of(buffer));
}

py::list layers(const Network& network) {
  py::list rows;
  const Graph& graph = network.graph();
  for (const GraphLayer& layer : graph.layers) {
    std::int64_t parameters = 0;
    for (int i = layer.first_parameter; i < layer.first_parameter + layer.parameter_count; ++i) {
      parameters += graph.parameters[static_cast<std::size_t>(i)].slice.whole.elements();
    }
    py::dict row;
    row["name"] = layer.name;
    row["type"] = layer.type;
    row["input_shape"] = to_python(layer.inputs.front());
    row["output_shape"] = to_python(layer.output);
    row["parameters"] = parameters;
    rows.append(row);
  }
  return rows;
}

py::list plans(Network& network) {
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> rows;
  const auto name_of_mode = [](Mode mode) {
    return mode == Mode::training     ? "training"
           : mode == Mode::evaluation ? "evaluation"
           : mode == Mode::prediction ? "prediction"
                                      : "moments";
  };
  {
    const py::gil_scoped_release release;
    network.for_plans([&](Mode mode, std::int64_t batch, std::int64_t bytes) {
      rows.emplace_back(name_of_mode(mode), batch, bytes);
    });
  }
  return py::cast(rows);
}

Mode mode_from_name(const std::string& name) {
  if (name == "training") return Mode::training;
  if (name == "evaluation") return Mode::evaluation;
  if (name == "prediction") return Mode::prediction;
  throw Error(ErrorCode::invalid_parameter,
              "unknown mode '" + name + "'; use training, evaluation or prediction")
      .at_key("mode");
}

py::dict describe(Network& network, const std::string& mode, std::int64_t batch_size) {
  const Mode chosen = mode_from_name(mode);
  const std::int64_t batch = batch_size > 0 ? batch_size : network.options().batch;
  PlanDescription plan;
  {
    const py::gil_scoped_release release;
    plan = network.describe(chosen, batch);
  }
  py::list operations;
  for (const PlanRow& row : plan.operations) {
    py::dict operation;
    operation["phase"] = row.phase;
    operation["by_rows"] = row.by_rows;
    operation["section"] = row.section;
    operation["layer"] = row.layer;
    operation["operation"] = row.operation;
    operation["engine"] = row.engine;
    operation["shape"] = row.shape;
    operation["type"] = row.type;
    operation["flops"] = row.flops;
    operation["bytes"] = row.bytes;
    operation["sent"] = row.sent;
    operations.append(operation);
  }
  py::dict description;
  description["operations"] = operations;
  description["flops"] = plan.flops;
  description["sent_bytes"] = plan.sent_bytes;
  description["arena_bytes"] = plan.arena_bytes;
  description["unshared_bytes"] = plan.unshared_bytes;
  description["beside_bytes"] = plan.bytes_beside;
  description["parameters"] = network.graph().parameter_elements;
  return description;
}

}  // namespace

void bind_network(py::module_& module) {
  py::class_<Evaluation>(module, "Evaluation", "Sums over rows that were evaluated; two can be added.")
      .def(py::init([](double loss, double weight, std::int64_t correct, std::int64_t correct_top5,
                       std::int64_t rows) { return Evaluation{loss, weight, correct, correct_top5, rows}; }),
           py::arg("loss") = 0.0, py::arg("weight") = 0.0, py::arg("correct") = 0,
           py::arg("correct_top5") = 0, py::arg("rows") = 0)
      .def_readonly("loss", &Evaluation::loss)
      .def_readonly("weight", &Evaluation::weight)
      .def_readonly("correct", &Evaluation::correct)
      .def_readonly("correct_top5", &Evaluation::correct_top5)
      .def_readonly("rows", &Evaluation::rows)
      .def("__add__", &sum_of, py::arg("other"));

  py::class_<Network, std::shared_ptr<Network>>(
      module, "Network", py::dynamic_attr(), "A network at work: parameters, gradients and execution plans.")
      .def(py::init([](const NetworkSpec& spec, const py::object& loss, std::int64_t batch_size,
                       const std::string& dtype, const std::string& device, int threads, std::uint64_t seed,
                       const py::dict& compute, const std::optional<Ranks>& ranks) {
             if (threads < 0 || threads > 1024) {
               throw Error(ErrorCode::invalid_parameter,
                           "must be from 1 up to 1024, or 0 to let Ravine choose")
                   .at_key("threads");
             }
             if (dtype != "float32" && dtype != "float64" && dtype != "bfloat16") {
               throw Error(ErrorCode::invalid_parameter,
                           "unknown element type '" + dtype + "'; use float32, float64 or bfloat16")
                   .at_key("dtype");
             }
             ComputeOptions options = to_compute_options(compute);
             options.bfloat16 = dtype == "bfloat16";
             const DType type = dtype == "float64" ? DType::float64 : DType::float32;
             return std::make_shared<Network>(
                 spec, catalog::resolve(catalog::Kind::loss, to_component(loss, "loss")),
                 NetworkOptions{batch_size, type, device_from_name(device), threads, seed, options,
                                ranks.value_or(Ranks{})});
           }),
           py::arg("spec"), py::arg("loss"), py::kw_only(), py::arg("batch_size"), py::arg("dtype"),
           py::arg("device"), py::arg("threads"), py::arg("seed"), py::arg("compute") = py::dict(),
           py::arg("ranks") = std::nullopt)
      .def("initialize", py::overload_cast<std::uint64_t>(&Network::initialize), py::arg("seed"),
           py::call_guard<py::gil_scoped_release>(), "Draws all parameters anew.")
      .def(
          "initialize_parameter",
          [](Network& network, const std::string& name, const py::object& initializer, std::uint64_t seed) {
            const Component component =
                catalog::resolve(catalog::Kind::initializer, to_component(initializer, "initializer"));
            const py::gil_scoped_release release;
            network.initialize(name, component, seed);
          },
          py::arg("name"), py::arg("initializer"), py::arg("seed"),
          "Draws one parameter by another initializer.")
      .def(
          "moments", &moments, py::arg("inputs"), py::kw_only(), py::arg("before_activation") = false,
          "Mean, variance and fraction of zeros of each layer's output over one batch in evaluation; of what "
          "its parameters give before its activation where asked. Layers that compute nothing are left out.")
      .def("forward", &forward, py::arg("inputs"), py::arg("training") = false,
           "The last layer's output; with training=True dropout is on and backward may follow.")
      .def(
          "loss",
          [](Network& network, const py::array& targets, const std::optional<py::array>& weights,
             const std::optional<MixtureArrays>& mixture) {
            const void* data = checked_targets(network, targets, -1);
            const std::int64_t rows = targets.shape(0);
            const void* weight_data = checked_weights(network, weights, rows);
            const Mixture mixed = checked_mixture(network, mixture, rows);
            const py::gil_scoped_release release;
            return network.loss(data, weight_data, rows, mixed);
          },
          py::arg("targets"), py::arg("weights") = std::nullopt, py::arg("mixture") = std::nullopt,
          "Mean loss of the last forward pass; with weights sum w l / sum w, 0 where all w are. A mixture, "
          "second "
          "labels and the shares of the first ones, makes the targets soft.")
      .def("backward", &backward, py::arg("output_gradient") = std::nullopt,
           "Gradients of the last loss, or of the output gradient that is given.")
      .def("predict", &predict, py::arg("inputs"), "Probabilities for classification, else the output.")
      .def(
          "evaluate",
          [](Network& network, const Given& inputs, const std::optional<py::array>& targets,
             const std::optional<py::array>& weights) {
            return metrics(network, measure(network, inputs, targets, weights));
          },
          py::arg("inputs"), py::arg("targets") = std::nullopt, py::arg("weights") = std::nullopt,
          "Mean loss, weighted where weights are given, and shares of right answers, which are counts of "
          "rows.")
      .def("measure", &measure, py::arg("inputs"), py::arg("targets") = std::nullopt,
           py::arg("weights") = std::nullopt, "The sums that the metrics of evaluate are made of.")
      .def("losses", &row_losses, py::arg("inputs"), py::arg("targets") = std::nullopt,
           py::arg("weights") = std::nullopt,
           "The loss of each row in evaluation, times its weight: what the sum of measure is made of.")
      .def("metrics", &metrics, py::arg("sums"), "The metrics of such sums.")
      .def("drain", &drain, "Recorded steps since the last call: (steps, values by column).")
      .def_property_readonly("columns", [](Network& network) { return network.columns(); })
      .def_property_readonly("parameters",
                             [](Network& n) { return named_views(n, n.parameters(), n.graph().parameters); })
      .def_property_readonly("gradients",
                             [](Network& n) { return named_views(n, n.gradients(), n.graph().parameters); })
      .def_property_readonly(
          "state", [](Network& n) { return named_views(n, n.state(), n.graph().state); },
          "Writable views, by name, of what layers keep from step to step and no gradient changes.")
      .def_property_readonly("flat_parameters", [](Network& n) { return flat_view(n, n.parameters()); })
      .def_property_readonly("flat_gradients", [](Network& n) { return flat_view(n, n.gradients()); })
      .def_property_readonly("decaying",
                             [](const Network& network) {
                               py::list names;
                               for (const GraphParameter& parameter : network.graph().parameters) {
                                 if (parameter.spec.decays) names.append(parameter.name);
                               }
                               return names;
                             })
      .def_property("step", &Network::step_number, &Network::set_step_number)
      .def_property_readonly(
          "specification", [](const Network& n) { return n.specification(); },
          "A copy of what the network was compiled from.")
      .def_property_readonly("layers", &layers)
      .def_property_readonly("input_shape", [](const Network& n) { return to_python(n.graph().input); })
      .def_property_readonly("output_shape", [](const Network& n) { return to_python(n.graph().output()); })
      .def_property_readonly(
          "classifies",
          [](const Network& n) { return n.loss_function().target_kind() == TargetKind::labels; })
      .def_property_readonly("has_accuracy",
                             [](const Network& n) { return n.loss_function().has_accuracy(); })
      .def_property_readonly(
          "dtype",
          [](const Network& n) {
            return n.options().compute.bfloat16 ? "bfloat16" : std::string(name_of(n.options().dtype));
          },
          "What the network computes in, as it was asked for.")
      .def_property_readonly(
          "array_dtype", [](const Network& n) { return std::string(name_of(n.options().dtype)); },
          "Of all arrays that go in or come out: the same, but float32 where it computes in bfloat16.")
      .def_property_readonly("device", [](const Network& n) { return n.options().device.to_string(); })
      .def_property_readonly(
          "device_memory",
          [](const Network& n) -> std::optional<std::pair<double, double>> {
            const std::optional<DeviceMemory> memory = n.device_memory();
            if (!memory) return {};
            return std::make_pair(memory->free, memory->total);
          },
          "Bytes of its device that may still be allocated, and all; None where that is the processor.")
      .def_property_readonly(
          "threads", &Network::threads,
          "Workers that share a step; where they are measured, those that were the fastest so far.")
      .def_property_readonly("batch_size", [](const Network& n) { return n.options().batch; })
      .def_property_readonly("seed", [](const Network& n) { return n.options().seed; })
      .def("describe", &describe, py::arg("mode") = "training", py::arg("batch_size") = 0,
           "The execution plan: a row an operation, and totals. Workers wait for each other between phases.")
      .def_property_readonly("plans", &plans,
                             "The plans that were made so far: mode, rows and bytes of their memory.");
}

}  // namespace ravine::bindings
