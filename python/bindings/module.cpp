// The compiled module ravine._core.
#include "backend/backend.h"
#include "backend/processors.h"
#include "bindings.h"

namespace ravine::bindings {

void bind_report(py::module_& module) {
  module.def(
      "report",
      [] {
        py::list rows;
        for (const auto& reports : {report_cpu(), report_cuda()}) {
          for (const BackendReport& report : reports) {
            rows.append(py::make_tuple(report.name, report.available, report.detail));
          }
        }
        return rows;
      },
      "What the core was built with and found: (name, available, detail).");
  module.def(
      "available_processors", &available_processors,
      "Processors that this process may take: by affinity, control groups, OMP_NUM_THREADS and MPI ranks.");
}

}  // namespace ravine::bindings

PYBIND11_MODULE(_core, module) {
  using namespace ravine::bindings;
  module.doc() = "Ravine's core: networks, optimizers, the catalog.";
  module.attr("__version__") = RAVINE_VERSION;
  bind_errors(module);
  bind_random(module);
  bind_dense_algebra(module);
  bind_catalog(module);
  bind_optimizer(module);
  bind_schedule(module);
  bind_custom_rule(module);
  bind_communication(module);
  bind_network(module);
  bind_model_group(module);
  bind_resident(module);
  bind_training(module);
  bind_report(module);
}
