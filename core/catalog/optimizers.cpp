#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter learning_rate(double value) {
  return {.name = "learning_rate", .default_value = value, .range = {.low = 0}, .help = "step size eta"};
}

Parameter fraction(std::string name, double value, std::string help) {
  return {.name = std::move(name),
          .default_value = value,
          .range = {.low = 0, .high = 1, .high_included = false},
          .help = std::move(help)};
}

}  // namespace

std::vector<Entry> optimizer_entries() {
  return {
      {Kind::optimizer,
       "gradient_descent",
       "A step against the gradient of the batch.",
       "theta <- theta - eta g",
       "H. Robbins, S. Monro, 1951; lectures L1, L2, L4",
       {learning_rate(0.01)}},
      {Kind::optimizer,
       "momentum",
       "Steps along a running sum of gradients, the heavy ball.",
       "v <- gamma v + eta g, theta <- theta - v",
       "B. Polyak, 1964; lectures L1, L2, L3, L4",
       {learning_rate(0.01),
        fraction("momentum", 0.9, "share gamma of the last step that is kept"),
        {.name = "damped",
         .type = Type::boolean,
         .default_value = false,
         .help = "L3's form: the new gradient is weighted with 1 - gamma"}}},
      {Kind::optimizer,
       "nesterov",
       "Momentum whose gradient is taken where the momentum is about to lead.",
       "v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v",
       "Y. Nesterov, 1983; I. Sutskever et al., ICML 2013; lectures L0, L1, L4",
       {learning_rate(0.01), fraction("momentum", 0.9, "share gamma of the last step that is kept")}},
      {Kind::optimizer,
       "adam",
       "A step for each weight, scaled by running moments of its gradient.",
       "theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)",
       "D. Kingma, J. Ba, ICLR 2015; lectures L0 to L4",
       {learning_rate(0.001),
        fraction("beta1", 0.9, "decay of the first moment m"),
        fraction("beta2", 0.999, "decay of the second moment v"),
        {.name = "epsilon",
         .default_value = 1e-8,
         .range = {.low = 0},
         .help = "keeps the division finite"}}},
  };
}

}  // namespace ravine::catalog
