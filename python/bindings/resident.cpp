// Data sets in the memory of a network's device.
#include "base/errors.h"
#include "chosen_samples.h"
#include "network_arrays.h"

namespace ravine::bindings {
namespace {

using augmentation::Border;
using augmentation::Kind;
using augmentation::Step;

// As `ravine.data.augmentation.pipeline` makes it.
Step to_step(const py::tuple& given) {
  Step step;
  step.kind = static_cast<Kind>(given[0].cast<int>());
  step.group_end = given[1].cast<int>();
  step.border = static_cast<Border>(given[2].cast<int>());
  step.place = given[3].cast<std::uint32_t>();
  step.height = given[4].cast<int>();
  step.width = given[5].cast<int>();
  step.out_height = given[6].cast<int>();
  step.out_width = given[7].cast<int>();
  step.fill = given[8].cast<double>();
  step.probability = given[9].cast<double>();
  const auto settings = given[10].cast<std::vector<double>>();
  if (settings.size() > augmentation::most_settings) {
    throw Error(ErrorCode::invalid_parameter, "a step has too many settings").at_key("inputs");
  }
  std::copy(settings.begin(), settings.end(), step.setting);
  return step;
}

// (steps, seed, shape of a stored picture, shape of a result)
PictureSteps to_steps(const py::tuple& given) {
  PictureSteps pictures;
  for (const py::handle step : given[0]) pictures.steps.push_back(to_step(step.cast<py::tuple>()));
  pictures.seed = given[1].cast<std::uint64_t>();
  const auto stored = given[2].cast<std::array<int, 3>>();
  const auto result = given[3].cast<std::array<int, 3>>();
  pictures.height = stored[0];
  pictures.width = stored[1];
  pictures.channels = stored[2];
  pictures.out_height = result[0];
  pictures.out_width = result[1];
  return pictures;
}

std::shared_ptr<ResidentData> make(Network& network, std::int64_t samples, const std::string& stored,
                                   std::int64_t stored_values, bool weighted, const std::vector<double>& mean,
                                   const std::vector<double>& scale,
                                   const std::optional<std::pair<py::tuple, py::tuple>>& augmentation,
                                   const std::optional<std::tuple<std::uint32_t, double, double>>& mixup,
                                   const std::vector<float>& quantiles) {
  RowsRequest request;
  request.samples = samples;
  request.stored = dtype_from_name(stored);
  request.stored_values = stored_values;
  request.weighted = weighted;
  request.mean = mean;
  request.scale = scale;
  request.quantiles = quantiles;
  if (augmentation) {
    request.training = to_steps(augmentation->first);
    request.evaluation = to_steps(augmentation->second);
  }
  if (mixup) request.mixed = {true, std::get<0>(*mixup), std::get<1>(*mixup), std::get<2>(*mixup)};
  const py::gil_scoped_release release;
  return std::make_shared<ResidentData>(network, std::move(request));
}

void write_inputs(ResidentData& data, std::int64_t first, const py::array& inputs) {
  const RowsRequest& request = data.request();
  const bool fits = inputs.ndim() > 0 && inputs.dtype().is(to_python(request.stored)) &&
                    (inputs.flags() & py::array::c_style) != 0 &&
                    inputs.size() == inputs.shape(0) * request.stored_values;
  if (!fits) {
    throw Error(ErrorCode::shape_mismatch, "expected contiguous samples of " +
                                               std::to_string(request.stored_values) + " values, " +
                                               std::string(name_of(request.stored)))
        .at_key("inputs");
  }
  const void* from = inputs.data();
  const std::int64_t count = inputs.shape(0);
  const py::gil_scoped_release release;
  data.write_inputs(first, count, from);
}

void write_targets(ResidentData& data, const py::array& targets, const std::optional<py::array>& weights) {
  const void* target_data = checked_targets(data.network(), targets, data.request().samples);
  const void* weight_data = checked_weights(data.network(), weights, data.request().samples);
  if ((weight_data != nullptr) != data.request().weighted) {
    throw Error(ErrorCode::invalid_parameter,
                "weights are given where there are none, or not where there are")
        .at_key("weights");
  }
  const py::gil_scoped_release release;
  data.write_targets(target_data, weight_data);
}

// The arrays that the device makes of samples, copied to the host.
py::dict gathered(const ChosenSamples& chosen) {
  Network& network = chosen.data->network();
  const RowsRequest& request = chosen.data->request();
  const std::int64_t rows = chosen.rows();
  const auto made = [&](DType dtype, const Shape& sample) {
    const Shape shape = sample.with_batch(rows);
    return py::array(to_python(dtype),
                     std::vector<py::ssize_t>(shape.extents().begin(), shape.extents().end()));
  };
  const Shape scalar;
  py::array inputs = made(request.dtype, network.graph().input);
  py::array targets =
      request.labels ? made(DType::int32, scalar) : made(request.dtype, network.graph().output());
  py::array weights = made(request.dtype, scalar);
  py::array labels = made(DType::int32, scalar);
  py::array shares = made(request.dtype, scalar);
  void* to[] = {inputs.mutable_data(), targets.mutable_data(), weights.mutable_data(), labels.mutable_data(),
                shares.mutable_data()};
  const auto bytes = [](const py::array& array) { return static_cast<std::size_t>(array.nbytes()); };
  const std::size_t sizes[] = {bytes(inputs), bytes(targets), bytes(weights), bytes(labels), bytes(shares)};
  const bool mixes = chosen.with(network, [&](const GatheredRows& found) {
    const void* from[] = {found.inputs, found.targets, found.weights, found.second_labels, found.shares};
    for (int i = 0; i < 5; ++i) {
      if (from[i] != nullptr) network.fetch(from[i], to[i], sizes[i]);
    }
    return found.shares != nullptr;
  });
  py::dict arrays;
  arrays["inputs"] = inputs;
  arrays["targets"] = targets;
  if (request.weighted) arrays["weights"] = weights;
  if (mixes) arrays["mixture"] = py::make_tuple(labels, shares);
  return arrays;
}

}  // namespace

void bind_resident(py::module_& module) {
  py::class_<ResidentData, std::shared_ptr<ResidentData>>(
      module, "ResidentData", "Samples in the memory of a network's device, which makes batches of them.")
      .def(py::init(&make), py::arg("network"), py::kw_only(), py::arg("samples"), py::arg("stored"),
           py::arg("stored_values"), py::arg("weighted") = false, py::arg("mean") = py::tuple(),
           py::arg("scale") = py::tuple(), py::arg("augmentation") = std::nullopt,
           py::arg("mixup") = std::nullopt, py::arg("quantiles") = py::tuple(), py::keep_alive<1, 2>())
      .def("write_inputs", &write_inputs, py::arg("first"), py::arg("inputs"),
           "Takes in samples from `first` on, as they are stored.")
      .def("write_targets", &write_targets, py::arg("targets"), py::arg("weights") = std::nullopt,
           "Takes in the targets of all samples, and their weights.")
      .def_property_readonly("bytes", &ResidentData::bytes, "What the samples take of the device's memory.")
      .def("__len__", [](const ResidentData& data) { return data.request().samples; })
      .def(
          "samples",
          [](const std::shared_ptr<ResidentData>& data,
             const py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>& indices,
             std::optional<std::int64_t> epoch) {
            if (indices.ndim() != 1) throw py::value_error("indices must be one-dimensional");
            return std::make_shared<ChosenSamples>(ChosenSamples{data, indices, epoch.value_or(-1)});
          },
          py::arg("indices"), py::arg("epoch") = std::nullopt,
          "Some samples in the place of arrays, as they are in an epoch of a training; without one as an "
          "evaluation sees them.");

  py::class_<ChosenSamples, std::shared_ptr<ChosenSamples>>(
      module, "ChosenSamples", "Samples of a data set on a device, in the place of arrays of rows.")
      .def("__len__", &ChosenSamples::rows)
      .def(
          "__getitem__",
          [](const ChosenSamples& chosen, const py::slice& slice) {
            const py::array_t<std::int64_t, py::array::c_style | py::array::forcecast> part(
                chosen.indices[slice]);
            return std::make_shared<ChosenSamples>(ChosenSamples{chosen.data, part, chosen.epoch});
          },
          py::arg("part"))
      .def("arrays", &gathered,
           "What the device makes of them, as arrays: inputs, targets, weights, mixture.");
}

}  // namespace ravine::bindings
