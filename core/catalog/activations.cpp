#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> activation_entries() {
  return {
      {Kind::activation, "identity", "Leaves values as they are.", "y = x", "", {}},
      {Kind::activation,
       "sigmoid",
       "Logistic function, between 0 and 1; saturates on both sides.",
       "y = 1 / (1 + e^-x)",
       "lecture L1",
       {}},
      {Kind::activation,
       "tanh",
       "Hyperbolic tangent, between -1 and 1, centred on 0.",
       "y = tanh x",
       "Y. LeCun et al., Efficient BackProp, 1998; lecture L2",
       {}},
      {Kind::activation,
       "relu",
       "Rectified linear unit.",
       "y = max(0, x)",
       "V. Nair, G. Hinton, ICML 2010; lectures L1, L4",
       {}},
  };
}

}  // namespace ravine::catalog
