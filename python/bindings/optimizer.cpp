#include "optimizers/optimizer.h"

#include <limits>

#include "base/errors.h"
#include "bindings.h"
#include "catalog/catalog.h"

namespace ravine::bindings {

namespace {

std::vector<ParameterGroup> to_groups(const py::list& given) {
  // No number is "not given".
  const auto checked = [](double value) {
    return value < 0 ? std::numeric_limits<double>::quiet_NaN() : value;
  };
  std::vector<ParameterGroup> groups;
  for (const py::handle& one : given) {
    ParameterGroup group;
    for (const auto& [key, value] : one.cast<py::dict>()) {
      const auto name = key.cast<std::string>();
      if (name == "match") {
        group.match = value.cast<std::string>();
      } else if (name == "learning_rate") {
        group.learning_rate = value.cast<double>();
      } else if (name == "l2") {
        group.l2 = checked(value.cast<double>());
      } else if (name == "weight_decay") {
        group.weight_decay = checked(value.cast<double>());
      } else if (name == "freeze") {
        group.freeze = value.cast<bool>();
      } else {
        throw Error(ErrorCode::invalid_parameter,
                    "unknown setting; there are: match, learning_rate, l2, weight_decay, freeze")
            .at_key("groups." + std::to_string(groups.size()) + "." + name);
      }
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

py::list from_groups(const std::vector<ParameterGroup>& groups) {
  py::list given;
  for (const ParameterGroup& group : groups) {
    py::dict one;
    one["match"] = group.match;
    one["learning_rate"] = group.learning_rate;
    if (group.l2 >= 0) one["l2"] = group.l2;
    if (group.weight_decay >= 0) one["weight_decay"] = group.weight_decay;
    one["freeze"] = group.freeze;
    given.append(one);
  }
  return given;
}

py::dict numbers(const Optimizer& optimizer) {
  py::dict all;
  for (const RegularizationNumber& number : regularization_numbers) {
    all[py::str(std::string(number.name))] = optimizer.regularization().*number.member;
  }
  return all;
}

}  // namespace

Regularization to_regularization(Regularization numbers, const std::string& l2_form,
                                 const std::string& l1_form) {
  catalog::check_regularization(numbers);
  if (l2_form != "squared" && l2_form != "norm") {
    throw Error(ErrorCode::invalid_parameter, "unknown form '" + l2_form + "'; choose from squared, norm")
        .at_key("l2_form");
  }
  numbers.l2_of_norm = l2_form == "norm";
  if (l1_form != "subgradient" && l1_form != "proximal") {
    throw Error(ErrorCode::invalid_parameter,
                "unknown form '" + l1_form + "'; choose from subgradient, proximal")
        .at_key("l1_form");
  }
  numbers.proximal = l1_form == "proximal";
  return numbers;
}

void bind_optimizer(py::module_& module) {
  py::list names;
  for (const RegularizationNumber& number : regularization_numbers) names.append(std::string(number.name));
  module.attr("REGULARIZATION") = py::tuple(names);

  py::class_<Optimizer, std::shared_ptr<Optimizer>>(module, "Optimizer",
                                                    "An update rule with its settings, step count and state.")
      .def(py::init([](const py::object& rule, double l2, const std::string& l2_form, double l1,
                       const std::string& l1_form, double clip_value, double clip_layer_norm,
                       double clip_norm, double max_norm, const py::list& groups) {
             return std::make_shared<Optimizer>(
                 catalog::resolve(catalog::Kind::optimizer, to_component(rule, "optimizer")),
                 to_regularization({l2, l1, clip_value, clip_layer_norm, clip_norm, max_norm}, l2_form,
                                   l1_form),
                 to_groups(groups));
           }),
           py::arg("rule"), py::kw_only(), py::arg("l2") = 0.0, py::arg("l2_form") = "squared",
           py::arg("l1") = 0.0, py::arg("l1_form") = "subgradient", py::arg("clip_value") = 0.0,
           py::arg("clip_layer_norm") = 0.0, py::arg("clip_norm") = 0.0, py::arg("max_norm") = 0.0,
           py::arg("groups") = py::list())
      .def_property_readonly("settings", [](const Optimizer& o) { return to_python(o.rule()); })
      .def_property_readonly("l2", [](const Optimizer& o) { return o.regularization().l2; })
      .def_property_readonly("clip_norm", [](const Optimizer& o) { return o.regularization().clip_norm; })
      .def_property_readonly("regularization", &numbers)
      .def_property_readonly(
          "l2_form", [](const Optimizer& o) { return o.regularization().l2_of_norm ? "norm" : "squared"; })
      .def_property_readonly(
          "l1_form",
          [](const Optimizer& o) { return o.regularization().proximal ? "proximal" : "subgradient"; })
      .def_property_readonly("groups", [](const Optimizer& o) { return from_groups(o.groups()); })
      .def_property("step_count", &Optimizer::step_count,
                    [](Optimizer& optimizer, std::int64_t count) {
                      if (count < 0) {
                        throw Error(ErrorCode::invalid_parameter, "must be at least 0").at_key("step_count");
                      }
                      optimizer.set_step_count(count);
                    })
      .def(
          "set",
          [](Optimizer& optimizer, const std::string& name, double value) {
            optimizer.check_number(name);
            catalog::check_number(optimizer.rule(), name, value);
            optimizer.check_number(name, value);
            const py::gil_scoped_release release;
            const std::lock_guard lock(optimizer.mutex());
            optimizer.set(name, value);
          },
          py::arg("name"), py::arg("value"),
          "Sets a number of the rule or of the regularization, from the next step on.")
      .def_property_readonly("slots",
                             [](const py::object& self) {
                               auto& optimizer = self.cast<Optimizer&>();
                               py::dict slots;
                               for (std::size_t i = 0; i < optimizer.slot_names().size(); ++i) {
                                 if (optimizer.count() == 0) break;
                                 const std::shared_ptr<void> slot = optimizer.slot(i)->visible();
                                 slots[py::str(optimizer.slot_names()[i])] = view(
                                     slot.get(), optimizer.slot_dtype(), {optimizer.count()}, owner_of(slot));
                               }
                               return slots;
                             })
      .def_property_readonly("slot_names", &Optimizer::slot_names)
      .def_property_readonly("evaluations", [](Optimizer& optimizer) {
        const FullBatchUpdate* update = optimizer.full_batch();
        return update == nullptr ? 0 : update->evaluations();
      });
}

}  // namespace ravine::bindings
