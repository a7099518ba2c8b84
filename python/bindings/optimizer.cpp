#include "optimizers/optimizer.h"

#include "base/errors.h"
#include "bindings.h"
#include "catalog/catalog.h"

namespace ravine::bindings {

void bind_optimizer(py::module_& module) {
  py::class_<Optimizer, std::shared_ptr<Optimizer>>(module, "Optimizer",
                                                    "An update rule with its settings, step count and state.")
      .def(py::init([](const py::object& rule, double l2, double clip_norm) {
             catalog::check_regularization(l2, clip_norm);
             return std::make_shared<Optimizer>(
                 catalog::resolve(catalog::Kind::optimizer, to_component(rule, "optimizer")),
                 Regularization{l2, clip_norm});
           }),
           py::arg("rule"), py::kw_only(), py::arg("l2") = 0.0, py::arg("clip_norm") = 0.0)
      .def_property_readonly("settings", [](const Optimizer& o) { return to_python(o.rule()); })
      .def_property_readonly("l2", [](const Optimizer& o) { return o.regularization().l2; })
      .def_property_readonly("clip_norm", [](const Optimizer& o) { return o.regularization().clip_norm; })
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
            const py::gil_scoped_release release;
            const std::lock_guard lock(optimizer.mutex());
            optimizer.set(name, value);
          },
          py::arg("name"), py::arg("value"),
          "Sets a number of the rule, or 'l2' or 'clip_norm', from the next step on.")
      .def_property_readonly("slots",
                             [](const py::object& self) {
                               auto& optimizer = self.cast<Optimizer&>();
                               py::dict slots;
                               for (std::size_t i = 0; i < optimizer.slot_names().size(); ++i) {
                                 if (optimizer.count() == 0) break;
                                 slots[py::str(optimizer.slot_names()[i])] =
                                     view(optimizer.slot(i)->data(), optimizer.dtype(), {optimizer.count()},
                                          owner_of(optimizer.slot(i)));
                               }
                               return slots;
                             })
      .def_property_readonly("slot_names", &Optimizer::slot_names);
}

}  // namespace ravine::bindings
