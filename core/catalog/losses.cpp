#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> loss_entries() {
  return {
      {Kind::loss,
       "softmax_cross_entropy",
       "Classification: minus the log-probability of the right class; the last layer gives one logit a "
       "class.",
       "J = log sum_j e^z_j - z_label",
       "J. Bridle, 1990; lectures L1, L2",
       {}},
      {Kind::loss,
       "squared_error",
       "Regression: squared difference, averaged over the outputs.",
       "J = mean (a - y)^2",
       "lecture L2",
       {{.name = "half", .type = Type::boolean, .default_value = false, .help = "use 1/2 (a - y)^2"}}},
  };
}

}  // namespace ravine::catalog
