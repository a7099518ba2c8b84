// Optimizers without a running mean of squares; those with one are in adaptive_optimizers.cpp.
#include "catalog/catalog.h"
#include "catalog/optimizer_parameters.h"

namespace ravine::catalog {

std::vector<Entry> optimizer_entries() {
  return {
      {Kind::optimizer,
       "gradient_descent",
       "A step against the gradient: of one sample, of a mini-batch, or of all samples.",
       "theta <- theta - eta g",
       "A. Cauchy, 1847; H. Robbins, S. Monro, 1951",
       {learning_rate(0.01)},
       {.slides =
            "L0 'Gradient descent', 'Some Challenges For Gradient descent'; L1 'Gradient Descent', "
            "'Stochastic Gradient Descent (SGD)'; L2 'SGD - Stochastic Gradient - Again'; L3 'Training "
            "neural networks'; L4 'Gradient Descent', 'Stochastic Gradient Descent', 'Update equations'",
        .without = "It is what the others are measured by. One rate serves all weights: in a ravine the "
                   "steps swing across and creep along, and on a plateau they are as small as the gradient.",
        .erratum = "L4's algorithm for one sample takes the gradient of J_i and then steps along that of J: "
                   "J_i is meant; its table writes theta_t = theta_t + dtheta_t for theta_(t+1). L1's "
                   "'Challenges in optimization' drops a square: J(theta - eta g) is about J - eta g'g + "
                   "eta^2/2 g'Hg, so that the cost rises when eta/2 g'Hg > g'g.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.GradientDescent(0.015), lambda w: w * [1, 100], [1.0, 1.0], steps=2)
array([[ 1.      ,  1.      ],
       [ 0.985   , -0.5     ],
       [ 0.970225,  0.25    ]]))"}},
      of_full_batch(
          {Kind::optimizer,
           "sign_descent",
           "The same distance along every axis, whatever the gradient's size; for the gradient of all "
           "samples.",
           "theta <- theta - eta sign(g)",
           "J. Bernstein et al., ICML 2018",
           {learning_rate(0.001)},
           {.slides = "L2 'Adaptive Learning Rate Methods'",
            .without = "Units with many inputs get large gradients and large steps, others hardly move. "
                       "Steps of one size have a fault of their own: they never get smaller than eta, and a "
                       "mini-batch's noise turns their signs.",
            .example =
                R"(>>> ravine.lab.descend(ravine.optimizers.SignDescent(0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=2)
array([[1. , 1. ],
       [0.9, 0.9],
       [0.8, 0.8]]))"}}),
      {Kind::optimizer,
       "momentum",
       "Steps along a running sum of gradients, the heavy ball: faster along a valley, calmer across it.",
       "v <- gamma v + eta g, theta <- theta - v",
       "B. Polyak, 1964; N. Qian, Neural Networks 12, 1999",
       {learning_rate(0.01),
        momentum(),
        {.name = "damped",
         .type = Type::boolean,
         .default_value = false,
         .help = "L3's form: the new gradient is weighted with 1 - gamma"}},
       {.slides = "L0 'Momentum'; L1 'Momentum'; L2 'ADAM'; L3 'Incorporation of momentum'; L4 'Momentum', "
                  "'Update equations'",
        .without = "Gradient descent swings across a ravine and takes a step at a time along it; summed up, "
                   "what swings cancels and what stays adds up. With gamma = 0.9 steps become ten times as "
                   "long: the rate must be smaller.",
        .erratum = "L1 speaks of an 'exponential averaging', but its weights 1, 0.9, 0.81, ... add up to 10. "
                   "L3's form, damped = true, is an average: at the same rate its steps are 1 / (1 - gamma) "
                   "times shorter.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Momentum(0.1), lambda w: [1.0], [0.0], steps=4)[:, 0].round(4).tolist()  # faster and faster
[0.0, -0.1, -0.29, -0.561, -0.9049])"}},
      {Kind::optimizer,
       "nesterov",
       "Momentum whose gradient is taken where the momentum is about to lead.",
       "v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v",
       "Y. Nesterov, 1983; I. Sutskever et al., ICML 2013",
       {learning_rate(0.01), momentum()},
       {.slides = "L0 'Nesterov accelerated gradient (NAG)'; L1 'Nesterov Momentum [Sutskever2013]'; L4 "
                  "'Nesterov accelerated gradient', 'Update equations'",
        .without = "Momentum learns only after the step that it has gone too far, and swings back and forth "
                   "at the bottom. What is reported and evaluated here is theta, not the point ahead where "
                   "the gradient is taken.",
        .example = R"(>>> for rule in ("momentum", "nesterov"):  # how far each goes beyond the bottom at 0
...     path = ravine.lab.descend({"type": rule, "learning_rate": 0.1}, lambda w: 2 * w, [1.0], steps=100)
...     print(path.min().round(2))
-0.71
-0.33)"}},
      {Kind::optimizer,
       "lion",
       "The sign of a momentum: steps of one length, with half of Adam's memory.",
       "theta <- theta - eta (sign(beta1 m + (1 - beta1) g) + lambda theta), m <- beta2 m + (1 - beta2) g",
       "X. Chen et al., NeurIPS 2023, algorithm 2",
       {learning_rate(0.0001),
        fraction("beta1", 0.9, "share of m in the direction"),
        fraction("beta2", 0.99, "decay of m"),
        {.name = "weight_decay",
         .default_value = 0.0,
         .range = {.low = 0},
         .help = "lambda, for weights but not for biases; [[groups]] may give their own"}},
       {.slides = "extends L2 'Adaptive Learning Rate Methods'",
        .without = "Adam keeps two numbers a weight and divides by a noisy one; Lion keeps one, and all its "
                   "steps are of one length. It needs a third to a tenth of Adam's rate, and large batches.",
        .example =
            R"(>>> ravine.lab.descend(ravine.optimizers.Lion(0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=2)
array([[1. , 1. ],
       [0.9, 0.9],
       [0.8, 0.8]]))"}},
      {Kind::optimizer,
       "muon",
       "Momentum whose step is the same along every direction in which a weight matrix has a gradient; "
       "parameters that are no matrices by Adam with decoupled weight decay.",
       "m <- mu m + (1 - mu) g, W <- W - eta lambda W - eta s O, O = orthogonalize(mu m + (1 - mu) g)",
       "K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024; J. Liu et al., "
       "arXiv 2502.16982, 2025",
       {learning_rate(
            0.02,
            "step size eta; 0.02 (Jordan), less for small batches; with match_rms_adamw what suits Adam"),
        fraction("momentum", 0.95, "decay mu of the running average m"),
        {.name = "nesterov",
         .type = Type::boolean,
         .default_value = true,
         .help = "orthogonalize mu m + (1 - mu) g; false: m"},
        {.name = "scaling",
         .type = Type::choice,
         .default_value = std::string("original"),
         .choices = {"original", "match_rms_adamw"},
         .help = "s of a matrix: original: sqrt(max(1, rows / columns)); match_rms_adamw: 0.2 sqrt(max(rows, "
                 "columns)), with which a step is as long as Adam's (Liu)"},
        {.name = "weight_decay",
         .default_value = 0.0,
         .range = {.low = 0},
         .help = "lambda, for weights but not for biases; [[groups]] may give their own"},
        {.name = "adamw_ratio",
         .default_value = 0.05,
         .range = {.low = 0},
         .help = "learning rate of what is no matrix, in units of eta, so that schedules reach both"},
        beta1(),
        beta2(),
        epsilon(1e-8)},
       {.slides = "extends L1 'Momentum'",
        .without = "The gradient of a weight matrix lies mostly along a few directions; rules that see "
                   "single weights hardly learn the others. It is for the matrices between hidden layers; "
                   "first and last layer are better left to Adam.",
        .example = R"(>>> for size in (1, 1000):  # the length of the gradient does not matter
...     print(ravine.lab.descend("muon", lambda w: size * w, [1.0, 1.0], steps=1)[-1].round(3))
[0.986 0.986]
[0.986 0.986])"}},
      of_full_batch(
          {Kind::optimizer,
           "rprop",
           "A step size for each weight that grows while the gradient keeps its sign and shrinks where it "
           "turns; for the gradient of all samples.",
           "d <- increase d or decrease d, theta <- theta - sign(g) d",
           "M. Riedmiller, H. Braun, ICNN 1993; C. Igel, M. Huesken, 2000, iRprop-",
           {positive("initial_step", 0.01, "step size d at first; the paper's is 0.1"),
            {.name = "decrease",
             .default_value = 0.5,
             .range = {.low = 0, .high = 1, .low_included = false},
             .help = "factor where the sign turns"},
            {.name = "increase",
             .default_value = 1.2,
             .range = {.low = 1},
             .help = "factor while the sign stays"},
            positive("smallest_step", 1e-6, "d is at least this"),
            positive("largest_step", 50, "d is at most this")},
           {.slides = "L3 'Learning rate'",
            .without = "One rate cannot suit weights with steep and with flat slopes. It compares signs of "
                       "one step with those of the last, which mini-batches turn at random: then all steps "
                       "shrink to nothing.",
            .example =
                R"(>>> ravine.lab.descend(ravine.optimizers.Rprop(initial_step=0.1), lambda w: w * [1, 100], [1.0, 1.0], steps=2)
array([[1.  , 1.  ],
       [0.9 , 0.9 ],
       [0.78, 0.78]]))"}}),
      of_full_batch(
          {Kind::optimizer,
           "delta_bar_delta",
           "A learning rate for each weight: up by a little while the direction is steady, down by a share "
           "where it oscillates; for the gradient of all samples.",
           "r <- r + kappa or (1 - phi) r, theta <- theta - eta r g",
           "R. Jacobs, Neural Networks 1, 1988",
           {learning_rate(0.01, "every weight's rate at first, eta"),
            {.name = "increase",
             .default_value = 0.05,
             .range = {.low = 0},
             .help = "kappa, as a share of eta"},
            {.name = "decrease",
             .default_value = 0.1,
             .range = {.low = 0, .high = 1},
             .help = "phi, as a share of the weight's rate"},
            fraction("decay", 0.7, "of the running average of gradients that says the direction")},
           {.slides = "L3 'Learning rate'",
            .without = "One rate cannot let all weights converge at the same speed. Its steps still grow "
                       "with the gradient, so that it can diverge where Rprop cannot, and mini-batches "
                       "disturb it as they do Rprop.",
            .example =
                R"(>>> ravine.lab.descend(ravine.optimizers.DeltaBarDelta(0.1, increase=0.5), lambda w: [1.0], [0.0], steps=3)[:, 0].round(6).tolist()
[0.0, -0.1, -0.25, -0.45])"}}),
  };
}

}  // namespace ravine::catalog
