// What the ranks that share a network have of it. Bound after the class that it adds to.
#include "base/errors.h"
#include "bindings.h"
#include "network/network.h"

namespace ravine::bindings {
namespace {

// Where the ranks of a model group compute a layer.
std::string place_of(const GraphLayer& layer) {
  if (layer.owner >= 0) return "rank " + std::to_string(layer.owner);
  if (!layer.split) return "every rank";
  std::string units;
  for (std::int64_t count : layer.split->units) units += (units.empty() ? "" : " + ") + std::to_string(count);
  return units + " units";
}

py::dict places(const Network& network) {
  py::dict rows;
  if (network.graph().ranks == 1) return rows;
  for (const GraphLayer& layer : network.graph().layers) {
    rows[py::str(layer.name)] = place_of(layer);
  }
  return rows;
}

// What this rank has of the arrays that are not whole here: shape of the whole, first row, rows.
py::dict slices(const Network& network) {
  py::dict rows;
  for (const auto& [name, slice] : network.slices()) {
    if (slice.owner < 0 && slice.of_ranks.empty()) continue;
    const std::int64_t row = slice.whole.rank() == 0 ? 1 : slice.whole.elements() / slice.whole[0];
    rows[py::str(name)] = py::make_tuple(to_python(slice.whole), slice.first / row, slice.count / row);
  }
  return rows;
}

py::array gather(Network& network, const std::string& name, const py::array& values) {
  const auto found = network.slices().find(name);
  if (found == network.slices().end()) {
    throw Error(ErrorCode::invalid_parameter, "the network has no array '" + name + "'").at_key("name");
  }
  const ArraySlice& slice = found->second;
  if (slice.owner < 0 && slice.of_ranks.empty()) return values;
  const bool is_double = py::isinstance<py::array_t<double>>(values);
  if ((!is_double && !py::isinstance<py::array_t<float>>(values)) || values.size() != slice.count ||
      (values.flags() & py::array::c_style) == 0) {
    throw Error(ErrorCode::shape_mismatch, "expected a contiguous array of float32 or float64 with the " +
                                               std::to_string(slice.count) + " values of this rank")
        .at_key("values");
  }
  const auto& extents = slice.whole.extents();
  py::array whole(values.dtype(), std::vector<py::ssize_t>(extents.begin(), extents.end()));
  const void* from = values.data();
  void* to = whole.mutable_data();
  const py::gil_scoped_release release;
  network.gather(name, from, to, is_double ? DType::float64 : DType::float32);
  return whole;
}

}  // namespace

void bind_model_group(py::module_& module) {
  py::reinterpret_borrow<py::class_<Network, std::shared_ptr<Network>>>(module.attr("Network"))
      .def_property_readonly(
          "slices", &slices,
          "Where ranks share the network: what this one has of each parameter and state that "
          "is not whole here, as (shape of the whole, first row, rows).")
      .def(
          "gather", &gather, py::arg("name"), py::arg("values"),
          "The whole of an array, laid out as the parameter or state of that name, of which `values` is this "
          "rank's slice; `values` itself where that is whole. All ranks of the model group make the call.")
      .def_property_readonly("places", &places,
                             "Where ranks share the network: which of them compute each layer, by its name.");
}

}  // namespace ravine::bindings
