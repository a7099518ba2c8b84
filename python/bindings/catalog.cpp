#include "catalog/catalog.h"

#include <optional>
#include <tuple>
#include <utility>

#include "bindings.h"

namespace ravine::bindings {

void bind_catalog(py::module_& module) {
  using catalog::Entry;
  using catalog::Parameter;

  py::class_<Parameter>(module, "Parameter", "One setting of a catalog entry.")
      .def_readonly("name", &Parameter::name)
      .def_property_readonly("type", [](const Parameter& p) { return std::string(catalog::name_of(p.type)); })
      .def_property_readonly("required", &Parameter::required)
      .def_property_readonly("default", [](const Parameter& p) { return to_python(p.default_value); })
      .def_property_readonly("minimum", [](const Parameter& p) { return p.range.low; })
      .def_property_readonly("maximum", [](const Parameter& p) { return p.range.high; })
      .def_property_readonly("minimum_included", [](const Parameter& p) { return p.range.low_included; })
      .def_property_readonly("maximum_included", [](const Parameter& p) { return p.range.high_included; })
      .def_property_readonly("range", [](const Parameter& p) { return p.range.to_string(); })
      .def_readonly("choices", &Parameter::choices)
      .def_property_readonly("component",
                             [](const Parameter& p) -> std::optional<std::string> {
                               if (p.type != catalog::Type::component) return std::nullopt;
                               return std::string(catalog::name_of(p.component));
                             })
      .def_readonly("unit", &Parameter::unit)
      .def_readonly("help", &Parameter::help)
      .def("__repr__", [](const Parameter& p) { return "<Parameter " + p.name + ">"; });

  py::class_<Entry>(module, "Entry",
                    "One layer, block, activation, loss, initializer, calibration, optimizer, schedule or "
                    "regularization of the catalog.")
      .def_property_readonly("kind", [](const Entry& e) { return std::string(catalog::name_of(e.kind)); })
      .def_readonly("name", &Entry::name)
      .def_readonly("summary", &Entry::summary)
      .def_readonly("formula", &Entry::formula)
      .def_readonly("reference", &Entry::reference)
      .def_readonly("parameters", &Entry::parameters)
      .def_readonly("full_batch", &Entry::full_batch)
      .def_readonly("closure", &Entry::closure)
      .def_readonly("robbins_monro", &Entry::robbins_monro)
      .def_property_readonly("slides", [](const Entry& e) { return e.theory.slides; })
      .def_property_readonly("without", [](const Entry& e) { return e.theory.without; })
      .def_property_readonly("erratum", [](const Entry& e) { return e.theory.erratum; })
      .def_property_readonly("example", [](const Entry& e) { return e.theory.example; })
      .def_property_readonly("family", &catalog::family_of)
      .def("__repr__", [](const Entry& e) {
        return "<Entry " + std::string(catalog::name_of(e.kind)) + " " + e.name + ">";
      });

  module.def(
      "catalog",
      [](const std::optional<std::string>& kind) {
        std::vector<Entry> chosen;
        for (const Entry& entry : catalog::entries()) {
          if (!kind || catalog::kind_from_name(*kind) == entry.kind) chosen.push_back(entry);
        }
        return chosen;
      },
      py::arg("kind") = std::nullopt, "All catalog entries, or those of one kind.");
  module.def(
      "resolve",
      [](const std::string& kind, const py::object& given) {
        return to_python(catalog::resolve(catalog::kind_from_name(kind), to_component(given, kind)));
      },
      py::arg("kind"), py::arg("component"),
      "Checks a component (a name, or a table with 'type') and fills in its defaults.");
  module.def("closest", &catalog::closest, py::arg("name"), py::arg("candidates"),
             "The candidate that is most like the name, or an empty text.");

  py::class_<NetworkSpec>(module, "NetworkSpec", "A network as its user describes it.")
      .def(py::init([](std::vector<std::int64_t> input_shape) {
             return NetworkSpec{Shape(std::move(input_shape)), {}};
           }),
           py::arg("input_shape"))
      .def(
          "add",
          [](NetworkSpec& spec, const py::object& layer, const std::string& name,
             const std::vector<std::string>& inputs, const std::optional<std::pair<int, int>>& column) {
            catalog::add_layer(spec, to_component(layer, "layer"), name, inputs);
            if (column) std::tie(spec.layers.back().column, spec.layers.back().columns) = *column;
          },
          py::arg("layer"), py::arg("name") = "", py::arg("inputs") = std::vector<std::string>{},
          py::arg("column") = std::nullopt,
          "Appends a layer (a name, or a table with 'type'); checked by the catalog at once. A column is "
          "(which, "
          "of how many) side by side.")
      .def_property_readonly("input_shape", [](const NetworkSpec& spec) { return to_python(spec.input); })
      .def_property_readonly("layers", [](const NetworkSpec& spec) {
        py::list layers;
        for (const LayerSpec& layer : spec.layers) {
          py::dict table = to_python(layer.component);
          table["name"] = layer.name;
          if (!layer.inputs.empty()) table["inputs"] = layer.inputs;
          if (layer.columns > 0) table["column"] = std::vector<int>{layer.column, layer.columns};
          layers.append(table);
        }
        return layers;
      });
}

}  // namespace ravine::bindings
