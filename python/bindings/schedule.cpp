#include "schedules/schedule.h"

#include "base/errors.h"
#include "bindings.h"
#include "catalog/catalog.h"

namespace ravine::bindings {
namespace {

Component resolved(const py::object& given) {
  return catalog::resolve(catalog::Kind::schedule, to_component(given, "schedule"));
}

py::array_t<double> values_of(const py::object& component, double base, std::int64_t steps,
                              std::int64_t steps_per_epoch, std::int64_t first_step,
                              std::optional<std::int64_t> count, std::int64_t every) {
  for (const auto& [name, value] : {std::pair{"steps", steps}, std::pair{"steps_per_epoch", steps_per_epoch},
                                    std::pair{"every", every}}) {
    if (value < 1) throw Error(ErrorCode::invalid_parameter, "must be at least 1").at_key(name);
  }
  if (first_step < 0 || count.value_or(0) < 0) {
    throw Error(ErrorCode::invalid_parameter, "must be at least 0").at_key("first_step");
  }
  const std::int64_t left = std::max<std::int64_t>(0, steps - first_step);
  const StepRange range{first_step, count.value_or((left + every - 1) / every), every};
  const std::vector<double> values =
      schedule_values(resolved(component), base, {steps, steps_per_epoch}, range);
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace

void bind_schedule(py::module_& module) {
  module.def("schedule_values", &values_of, py::arg("component"), py::arg("base"), py::arg("steps"),
             py::arg("steps_per_epoch"), py::arg("first_step") = 0, py::arg("count") = std::nullopt,
             py::kw_only(), py::arg("every") = 1,
             "What a schedule gives at the steps of a run: first_step, first_step + every, ...");
  module.def(
      "schedule_waits", [](const py::object& component) { return schedule_waits(resolved(component)); },
      py::arg("component"), "Whether the value is changed by what is measured, not by time alone.");
  module.def(
      "robbins_monro",
      [](const py::object& component, double base) {
        const RobbinsMonro answer = robbins_monro(resolved(component), base);
        constexpr const char* verdicts[] = {"no", "yes", "depends"};
        return std::pair<std::string, std::string>(verdicts[static_cast<int>(answer.verdict)], answer.reason);
      },
      py::arg("component"), py::arg("base") = 1.0,
      "Whether the values have an infinite sum and their squares a finite one: (yes, no or depends; why).");
}

}  // namespace ravine::bindings
