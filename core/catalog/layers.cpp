#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> layer_entries() {
  return {
      {Kind::layer, "dense", "Fully connected layer: every output is a weighted sum of every input.",
       "y = f(x W^T + b)", "D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986",
       {{.name = "units", .type = Type::integer, .range = {.low = 1, .high = 1e7}, .help = "number of outputs"},
        {.name = "activation", .type = Type::component, .default_value = "identity",
         .component = Kind::activation, .help = "function f of each output"},
        {.name = "use_bias", .type = Type::boolean, .default_value = true, .help = "add the vector b"},
        {.name = "weight_initializer", .type = Type::component, .default_value = "xavier_uniform",
         .component = Kind::initializer, .help = "where the weights W begin"},
        {.name = "bias_initializer", .type = Type::component, .default_value = "zeros",
         .component = Kind::initializer, .help = "where the bias b begins"}}},
      {Kind::layer, "activation", "A function of each value.", "y = f(x)", "lectures L0, L1",
       {{.name = "function", .type = Type::component, .component = Kind::activation, .help = "the function f"}}},
      {Kind::layer, "flatten", "The values of a sample as one vector.", "y = x", "", {}},
      {Kind::layer, "dropout",
       "Zeroes values at random in training and scales the others; passes them in evaluation.",
       "y = x m / (1 - p), m ~ Bernoulli(1 - p)", "N. Srivastava et al., JMLR 15, 2014; lecture L1",
       {{.name = "rate", .type = Type::real, .default_value = 0.5,
         .range = {.low = 0, .high = 1, .high_included = false},
         .help = "probability p with which a value is zeroed, in steps of 1/65536"}}},
  };
}

}  // namespace ravine::catalog
