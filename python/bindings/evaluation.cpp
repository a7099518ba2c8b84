// Predictions and evaluations, of arrays or of samples that lie on a device.
#include "base/errors.h"
#include "chosen_samples.h"
#include "network_arrays.h"

namespace ravine::bindings {

py::array new_output(const Network& network, std::int64_t rows) {
  const Shape shape = network.graph().output().with_batch(rows);
  return py::array(to_python(network.options().dtype),
                   std::vector<py::ssize_t>(shape.extents().begin(), shape.extents().end()));
}

py::array predict(Network& network, const Given& inputs) {
  if (const ChosenSamples* chosen = chosen_of(inputs)) {
    py::array output = new_output(network, chosen->rows());
    void* to = output.mutable_data();
    chosen->with(network,
                 [&](const GatheredRows& rows) { network.predict(rows.inputs, chosen->rows(), to); });
    return output;
  }
  std::int64_t rows = 0;
  const void* data = checked_inputs(network, std::get<py::array>(inputs), &rows);
  py::array output = new_output(network, rows);
  void* to = output.mutable_data();
  const py::gil_scoped_release release;
  network.predict(data, rows, to);
  return output;
}

namespace {

// Where asked for, with the loss of each row.
Evaluation evaluated(Network& network, const Given& inputs, const std::optional<py::array>& targets,
                     const std::optional<py::array>& weights, py::array_t<double>* losses) {
  const auto of_rows = [&](std::int64_t rows) -> double* {
    if (losses == nullptr) return nullptr;
    *losses = py::array_t<double>(rows);
    return losses->mutable_data();
  };
  if (const ChosenSamples* chosen = chosen_of(inputs)) {
    double* loss_data = of_rows(chosen->rows());
    return chosen->with(network, [&](const GatheredRows& rows) {
      return network.evaluate(rows.inputs, rows.targets, rows.weights, chosen->rows(), loss_data, true);
    });
  }
  if (!targets) throw py::type_error("targets are None");
  std::int64_t rows = 0;
  const void* data = checked_inputs(network, std::get<py::array>(inputs), &rows);
  const void* target_data = checked_targets(network, *targets, rows);
  const void* weight_data = checked_weights(network, weights, rows);
  double* loss_data = of_rows(rows);
  const py::gil_scoped_release release;
  return network.evaluate(data, target_data, weight_data, rows, loss_data);
}

}  // namespace

Evaluation measure(Network& network, const Given& inputs, const std::optional<py::array>& targets,
                   const std::optional<py::array>& weights) {
  return evaluated(network, inputs, targets, weights, nullptr);
}

py::array_t<double> row_losses(Network& network, const Given& inputs, const std::optional<py::array>& targets,
                               const std::optional<py::array>& weights) {
  py::array_t<double> losses;
  evaluated(network, inputs, targets, weights, &losses);
  return losses;
}

}  // namespace ravine::bindings
