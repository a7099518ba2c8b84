#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> loss_entries() {
  return {
      {Kind::loss,
       "softmax_cross_entropy",
       "Classification: minus the log-probability of the right class; the last layer gives one logit a "
       "class.",
       "J = log sum_j e^z_j - z_label",
       "J. Bridle, 1990; C. Szegedy et al., CVPR 2016 (smoothing); lectures L1, L2",
       {{.name = "label_smoothing",
         .default_value = 0.0,
         .range = {.low = 0, .high = 1},
         .help = "s: the target is (1 - s) one hot + s / classes"}}},
      {Kind::loss,
       "squared_error",
       "Regression: squared difference, averaged over the outputs.",
       "J = mean (a - y)^2",
       "lecture L2",
       {{.name = "half", .type = Type::boolean, .default_value = false, .help = "use 1/2 (a - y)^2"}}},
      {Kind::loss,
       "absolute_error",
       "Regression: absolute difference, averaged over the outputs; outliers weigh less than squared.",
       "J = mean |a - y|",
       "P. Laplace, 1774",
       {}},
      {Kind::loss,
       "huber",
       "Regression: squared near 0, absolute beyond delta.",
       "J = mean 1/2 d^2 for |d| <= delta, else delta (|d| - delta / 2), d = a - y",
       "P. Huber, Annals of Mathematical Statistics 35, 1964",
       {{.name = "delta",
         .default_value = 1.0,
         .range = {.low = 0, .low_included = false},
         .help = "difference from which on the loss grows linearly"}}},
      {Kind::loss,
       "binary_cross_entropy",
       "Yes or no, for each output on its own: targets from 0 to 1, the last layer gives logits. A sample is "
       "right where all its outputs are.",
       "J = mean -t log p - (1 - t) log(1 - p), p = 1 / (1 + e^-z)",
       "lecture L2",
       {}},
      {Kind::loss,
       "hinge",
       "Yes or no with a margin: targets -1 or 1. A sample is right where all its outputs have the right "
       "sign.",
       "J = mean max(0, 1 - y a)",
       "C. Cortes, V. Vapnik, Machine Learning 20, 1995",
       {{.name = "squared", .type = Type::boolean, .default_value = false, .help = "use max(0, 1 - y a)^2"}}},
  };
}

}  // namespace ravine::catalog
