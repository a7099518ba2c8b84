// What trains a network: the native loop, an optimizer's steps by hand, the average of the weights. Bound
// after the classes that it joins.
#include <map>

#include "base/errors.h"
#include "catalog/catalog.h"
#include "chosen_samples.h"
#include "network/weight_average.h"
#include "network_arrays.h"

namespace ravine::bindings {
namespace {

StatisticsLevel level_from_name(const std::string& name) {
  if (name == "off") return StatisticsLevel::off;
  if (name == "norms") return StatisticsLevel::norms;
  if (name == "full") return StatisticsLevel::full;
  throw Error(ErrorCode::invalid_parameter, "unknown level '" + name + "'; use off, norms or full")
      .at_key("statistics");
}

const char* name_of(DistributionKind kind) {
  return kind == DistributionKind::output     ? "output"
         : kind == DistributionKind::gradient ? "gradient"
                                              : "weight";
}

py::list drain_distributions(Network& network) {
  std::vector<DistributionRecord> drained;
  {
    const py::gil_scoped_release release;
    drained = network.drain_distributions();
  }
  py::list rows;
  for (const DistributionRecord& record : drained) {
    const DistributionSource& source = network.distributions().sources()[record.source];
    rows.append(py::make_tuple(record.step, source.name, name_of(source.kind), record.minimum, record.maximum,
                               py::bytes(record.packed)));
  }
  return rows;
}

PassTimes times_of(Network& network, const Given& inputs, bool distributions, std::int64_t most,
                   double seconds) {
  if (const ChosenSamples* chosen = chosen_of(inputs)) {
    return chosen->with(network, [&](const GatheredRows& gathered) {
      return network.time_passes(gathered.inputs, chosen->rows(), distributions, most, seconds);
    });
  }
  std::int64_t rows = 0;
  const void* data = checked_inputs(network, std::get<py::array>(inputs), &rows);
  if (rows == 0) throw Error(ErrorCode::shape_mismatch, "there are no rows").at_key("inputs");
  const py::gil_scoped_release release;
  return network.time_passes(data, rows, distributions, most, seconds);
}

py::dict time_passes(Network& network, const Given& inputs, bool distributions, std::int64_t most,
                     double seconds) {
  const PassTimes times = times_of(network, inputs, distributions, most, seconds);
  py::dict shortest;
  shortest["passes"] = times.passes;
  shortest["bare"] = times.bare;
  shortest["observed"] = times.observed;
  shortest["distributed"] = distributions ? times.distributed : times.bare;
  return shortest;
}

py::tuple drain_times(Network& network) {
  std::vector<TimesRing::Row> rows;
  {
    const py::gil_scoped_release release;
    rows = network.drain_times();
  }
  py::array_t<std::int64_t> steps(static_cast<py::ssize_t>(rows.size()));
  py::array_t<double> seconds(std::vector<py::ssize_t>{static_cast<py::ssize_t>(rows.size()), 4});
  std::int64_t* step = steps.mutable_data();
  double* second = seconds.mutable_data();
  for (const TimesRing::Row& row : rows) {
    *step++ = row.step;
    const StepTimes& times = row.times;
    for (double value : {times.compute, times.wait, times.communicate, times.overlapped}) *second++ = value;
  }
  return py::make_tuple(steps, seconds);
}

TrainingResult train(
    Network& network, Optimizer& optimizer, const Given& inputs, const std::optional<py::array>& targets,
    const std::optional<py::array>& weights, std::int64_t batch_size, std::int64_t micro_batch,
    const std::map<std::string, py::array_t<double, py::array::c_style | py::array::forcecast>>& schedule,
    double budget_seconds, std::int64_t record_every, const std::string& statistics, std::int64_t full_every,
    const std::optional<std::shared_ptr<WeightAverage>>& average, double loss_so_far, double weight_so_far,
    const std::optional<MixtureArrays>& mixture, std::int64_t first_row, std::int64_t global_batch,
    std::int64_t steps) {
  std::int64_t rows = 0;
  TrainingChunk chunk;
  const ChosenSamples* chosen = chosen_of(inputs);
  if (chosen == nullptr) {
    if (!targets) throw py::type_error("targets are None");
    chunk.inputs = checked_inputs(network, std::get<py::array>(inputs), &rows);
    chunk.targets = checked_targets(network, *targets, rows);
    chunk.weights = checked_weights(network, weights, rows);
    chunk.mixture = checked_mixture(network, mixture, rows);
  } else {
    rows = chosen->rows();
  }
  const bool empty = batch_size == 0 && rows == 0 && global_batch > 0 && steps > 0;
  if (!empty && (batch_size < 1 || rows % batch_size != 0 || (steps > 0 && rows != steps * batch_size))) {
    throw Error(ErrorCode::shape_mismatch, "got " + std::to_string(rows) +
                                               " rows, which is no multiple of the batch size " +
                                               std::to_string(batch_size))
        .at_key("inputs");
  }
  if (global_batch < 0 || first_row < 0 || (global_batch > 0 && first_row + batch_size > global_batch)) {
    throw Error(ErrorCode::invalid_parameter,
                "rows " + std::to_string(first_row) + " to " + std::to_string(first_row + batch_size) +
                    " are not within a global batch of " + std::to_string(global_batch))
        .at_key("first_row");
  }
  if (micro_batch < 0) {
    throw Error(ErrorCode::invalid_parameter, "must be at least 1, or 0 to compute a batch at once")
        .at_key("micro_batch");
  }
  chunk.batch = batch_size;
  chunk.micro_batch = micro_batch;
  chunk.first_row = first_row;
  chunk.global_batch = global_batch;
  chunk.steps = empty ? steps : rows / batch_size;
  chunk.budget_seconds = budget_seconds;
  chunk.record_every = record_every;
  chunk.statistics = level_from_name(statistics);
  chunk.full_every = full_every;
  chunk.average = average ? average->get() : nullptr;
  chunk.loss_so_far = loss_so_far;
  chunk.weight_so_far = weight_so_far;
  std::vector<double> settings(static_cast<std::size_t>(chunk.steps) * schedule.size());
  for (const auto& [name, values] : schedule) {
    if (values.ndim() != 1 || values.shape(0) != chunk.steps) {
      throw Error(ErrorCode::shape_mismatch, "the schedule of " + name + " needs one value a step, " +
                                                 std::to_string(chunk.steps) + " in all")
          .at_key("schedule");
    }
    for (std::int64_t step = 0; step < chunk.steps; ++step) {
      settings[static_cast<std::size_t>(step) * schedule.size() + chunk.scheduled.size()] = values.at(step);
    }
    for (std::int64_t step = 0; step < chunk.steps; ++step) {
      catalog::check_number(optimizer.rule(), name, values.at(step));
    }
    chunk.scheduled.push_back(name);
  }
  chunk.schedule = settings.data();
  chunk.interrupt = [] {  // a signal whose handler raises, such as a second Ctrl+C
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
  if (chosen != nullptr) {
    return chosen->with(network, [&](const GatheredRows& gathered) {
      chunk.inputs = gathered.inputs;
      chunk.targets = gathered.targets;
      chunk.weights = gathered.weights;
      chunk.mixture = {gathered.second_labels, gathered.shares};
      chunk.on_device = true;
      return network.train(optimizer, chunk);
    });
  }
  const py::gil_scoped_release release;
  return network.train(optimizer, chunk);
}

}  // namespace

void bind_training(py::module_& module) {
  py::class_<TrainingResult>(module, "TrainingResult", "What a call of the native training loop did.")
      .def_readonly("steps", &TrainingResult::steps)
      .def_readonly("loss", &TrainingResult::loss)
      .def_readonly("weight", &TrainingResult::weight)
      .def_readonly("correct", &TrainingResult::correct)
      .def_readonly("rows", &TrainingResult::rows)
      .def_readonly("trouble", &TrainingResult::trouble)
      .def_readonly("trouble_layer", &TrainingResult::trouble_layer)
      .def_readonly("trouble_rank", &TrainingResult::trouble_rank);

  py::class_<WeightAverage, std::shared_ptr<WeightAverage>>(
      module, "WeightAverage", "An exponential moving average of a network's weights.")
      .def(py::init<Network&, double>(), py::arg("network"), py::kw_only(), py::arg("decay"))
      .def_property_readonly("decay", &WeightAverage::decay)
      .def_property("count", &WeightAverage::count,
                    [](WeightAverage& average, std::int64_t count) {
                      if (count < 0) {
                        throw Error(ErrorCode::invalid_parameter, "must be at least 0").at_key("count");
                      }
                      average.set_count(count);
                    })
      .def_property_readonly(
          "flat_values",
          [](const WeightAverage& average) {
            const std::shared_ptr<void> values = average.values()->visible();
            return view(values.get(), average.dtype(), {average.elements()}, owner_of(values));
          },
          "A writable view, laid out as the network's flat parameters.");

  py::reinterpret_borrow<py::class_<Network, std::shared_ptr<Network>>>(module.attr("Network"))
      .def(
          "train", &train, py::arg("optimizer"), py::arg("inputs"), py::arg("targets") = std::nullopt,
          py::kw_only(), py::arg("weights") = std::nullopt, py::arg("batch_size"), py::arg("micro_batch") = 0,
          py::arg("schedule") = py::dict(), py::arg("budget_seconds") = 0.0, py::arg("record_every") = 1,
          py::arg("statistics") = "norms", py::arg("full_every") = 100, py::arg("average") = std::nullopt,
          py::arg("loss_so_far") = 0.0, py::arg("weight_so_far") = 0.0, py::arg("mixture") = std::nullopt,
          py::arg("first_row") = 0, py::arg("global_batch") = 0, py::arg("steps") = 0,
          "Many training steps in one call, over batches that lie one behind the other. A batch is computed "
          "in parts of micro_batch rows whose gradients are added (gradient accumulation); 0: at once. "
          "The average, if there is one, takes the weights in after every update. A mixture is second labels "
          "of the rows, and the shares of the first ones. Under ranks all of them make the call; the rows "
          "are this rank's, batch_size of each global batch of global_batch rows, from its row first_row on. "
          "A "
          "rank without rows (batch_size 0) says how many steps there are. No time budget under ranks. "
          "Chosen samples of data on the device take the place of all arrays.")
      .def("drain_times", &drain_times,
           "Under ranks, of the recorded steps since the last call: (steps, seconds), the seconds in columns "
           "compute, wait (for slower ranks), communicate (while sums of gradients are on their way) and "
           "overlapped (the part of that in which this rank computes). A step takes compute + wait + "
           "communicate - overlapped.")
      .def("drain_distributions", &drain_distributions,
           "Recorded distributions since the last call: (step, name, kind, minimum, maximum, packed counts).")
      .def("time_passes", &time_passes, py::arg("inputs"), py::kw_only(), py::arg("distributions"),
           py::arg("most"), py::arg("seconds"),
           "The shortest of some training passes over a batch without statistics and with them, in seconds.");

  py::reinterpret_borrow<py::class_<Optimizer, std::shared_ptr<Optimizer>>>(module.attr("Optimizer"))
      .def(
          "attach", [](Optimizer& optimizer, Network& network) { network.attach_optimizer(optimizer); },
          py::arg("network"), "Allocates the state for a network's parameters.")
      .def(
          "look_ahead",
          [](Optimizer& optimizer, Network& network) {
            {
              const py::gil_scoped_release release;
              network.look_ahead(optimizer);
            }
            // The next pass reads the optimizer's buffer.
            py::cast(network).attr("_looking_ahead") = py::cast(optimizer);
          },
          py::arg("network"),
          "Nesterov: lets the next training pass take its gradient at the look-ahead point; nothing for "
          "others.")
      .def(
          "step",
          [](Optimizer& optimizer, Network& network) {
            const py::gil_scoped_release release;
            network.step(optimizer);
          },
          py::arg("network"), "Updates the network's parameters from its gradients.");
}

}  // namespace ravine::bindings
