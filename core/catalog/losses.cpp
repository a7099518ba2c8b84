#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> loss_entries() {
  return {
      {Kind::loss,
       "softmax_cross_entropy",
       "Classification: minus the log-probability of the right class; the last layer gives one logit a "
       "class.",
       "J = log sum_j e^z_j - z_label",
       "J. Bridle, 1990; C. Szegedy et al., CVPR 2016 (smoothing)",
       {{.name = "label_smoothing",
         .default_value = 0.0,
         .range = {.low = 0, .high = 1},
         .help = "s: the target is (1 - s) one hot + s / classes"},
        {.name = "class_weights",
         .type = Type::numbers,
         .default_value = std::vector<double>{},
         .range = {.low = 0},
         .choices = {"balanced"},
         .help =
             "c, one a class: the mean loss is sum c_label J / sum c_label, and what smoothing adds for a "
             "class is multiplied by its own; balanced: n / (classes n_c) for a class with n_c of the n "
             "training samples; empty: all 1"}},
       {.slides = "L1 'Pure Optimization vs Machine Learning Training?', 'Babysitting Deep Nets'; L2 'KERAS "
                  "Example'",
        .without = "Squared errors of probabilities have almost no gradient just where the network is surely "
                   "wrong. The softmax and the logarithm apart overflow, or take the log of 0; here they are "
                   "one, by log-sum-exp.",
        .example = R"(>>> network = ravine.Sequential("identity").network([10], loss="softmax_cross_entropy")
>>> _ = network.forward(np.array([[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([3], dtype=np.int32)), 4)  # ln 10: a random guess among 10 classes
2.3026)"}},
      {Kind::loss,
       "squared_error",
       "Regression: squared difference, averaged over the outputs.",
       "J = mean (a - y)^2",
       "A. Legendre, 1805; C. Gauss, 1809",
       {{.name = "half", .type = Type::boolean, .default_value = false, .help = "use 1/2 (a - y)^2"}},
       {.slides = "L2 'Backpropagation: What are our terms', 'Backpropagation: Apply Chain Rule', "
                  "'Backpropagation: More than one unit per layer'",
        .without = "It is the loss of Gaussian noise, and the first choice for a regression. One outlier "
                   "weighs as its square and can rule a whole batch: then absolute_error or huber.",
        .erratum =
            "L2 adds up the squares of a sample's outputs; here they are averaged, so that the learning rate "
            "does not depend on their number. half = true drops L2's factor 2 from the gradient.",
        .example = R"(>>> network = ravine.Sequential("identity").network([2], loss="squared_error")
>>> _ = network.forward(np.array([[2, 5]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([[0, 4]], dtype=np.float32)), 4)  # (4 + 1) / 2
2.5)"}},
      {Kind::loss,
       "absolute_error",
       "Regression: absolute difference, averaged over the outputs; outliers weigh less than squared.",
       "J = mean |a - y|",
       "P. Laplace, 1774",
       {},
       {.slides = "extends L2 'Backpropagation: What are our terms'",
        .without =
            "With squared errors a few outliers pull the fit towards themselves; this fits the median "
            "instead of the mean. Its gradient does not shrink near the goal, so the learning rate has to.",
        .example = R"(>>> network = ravine.Sequential("identity").network([2], loss="absolute_error")
>>> _ = network.forward(np.array([[2, 5]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([[0, 4]], dtype=np.float32)), 4)
1.5)"}},
      {Kind::loss,
       "huber",
       "Regression: squared near 0, absolute beyond delta.",
       "J = mean 1/2 d^2 for |d| <= delta, else delta (|d| - delta / 2), d = a - y",
       "P. Huber, Annals of Mathematical Statistics 35, 1964",
       {{.name = "delta",
         .default_value = 1.0,
         .range = {.low = 0, .low_included = false},
         .help = "difference from which on the loss grows linearly"}},
       {.slides = "extends L2 'Backpropagation: What are our terms'",
        .without = "One must choose between squared errors, which outliers rule, and absolute errors, whose "
                   "gradient jumps at 0. This is the one near 0 and the other beyond delta, which must fit "
                   "the noise.",
        .example = R"(>>> network = ravine.Sequential("identity").network([2], loss="huber")
>>> _ = network.forward(np.array([[2, 0.5]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([[0, 0]], dtype=np.float32)), 4)  # (1.5 + 0.125) / 2
0.8125)"}},
      {Kind::loss,
       "binary_cross_entropy",
       "Yes or no, for each output on its own: targets from 0 to 1, the last layer gives logits. A sample is "
       "right where all its outputs are.",
       "J = mean -w t log p - (1 - t) log(1 - p), p = 1 / (1 + e^-z)",
       "D. Cox, Journal of the Royal Statistical Society B 20, 1958",
       {{.name = "positive_weight",
         .type = Type::numbers,
         .default_value = std::vector<double>{1.0},
         .range = {.low = 0},
         .help = "w, one for all outputs or one for each: how much more a yes counts than a no"}},
       {.slides = "extends L2 'Recap and Today'",
        .without = "A sigmoid with squared errors hardly learns where it is surely wrong; a softmax over "
                   "labels that do not exclude each other makes them compete. Works on logits: no log of 0.",
        .example = R"(>>> network = ravine.Sequential("identity").network([2], loss="binary_cross_entropy")
>>> _ = network.forward(np.array([[0, 0]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([[0, 1]], dtype=np.float32)), 4)  # ln 2: undecided
0.6931)"}},
      {Kind::loss,
       "hinge",
       "Yes or no with a margin: targets -1 or 1. A sample is right where all its outputs have the right "
       "sign.",
       "J = mean max(0, 1 - y a)",
       "C. Cortes, V. Vapnik, Machine Learning 20, 1995",
       {{.name = "squared", .type = Type::boolean, .default_value = false, .help = "use max(0, 1 - y a)^2"}},
       {.slides = "extends L1 'Pure Optimization vs Machine Learning Training?'",
        .without = "Cross entropy goes on pushing samples that are right already; this one leaves alone what "
                   "is beyond the margin. It gives no probabilities.",
        .example = R"(>>> network = ravine.Sequential("identity").network([2], loss="hinge")
>>> _ = network.forward(np.array([[0.5, 3]], dtype=np.float32), training=True)
>>> round(network.loss(np.array([[1, 1]], dtype=np.float32)), 4)  # only the first is within the margin
0.25)"}},
  };
}

}  // namespace ravine::catalog
