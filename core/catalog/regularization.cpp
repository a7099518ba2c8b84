// What is asked of weights and gradients beside the loss: sections [regularization] and [training] of an
// experiment, and arguments of the trainer. Dropout is a layer.
#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter at_least_zero(std::string name, std::string help) {
  return {.name = std::move(name), .default_value = 0.0, .range = {.low = 0}, .help = std::move(help)};
}

}  // namespace

std::vector<Entry> regularization_entries() {
  return {
      {Kind::regularization,
       "l2",
       "Pulls every weight towards 0 in proportion to its size; with gradient descent this is weight decay.",
       "J + lambda/2 sum w^2, so g <- g + lambda w; or J + lambda sum ||W||_2 over weight tensors, so "
       "g <- g + lambda W / ||W||_2",
       "A. Hoerl, R. Kennard, Technometrics 12, 1970; A. Krogh, J. Hertz, NIPS 1991; M. Yuan, Y. Lin, "
       "Journal of the Royal Statistical Society B 68, 2006 (norm)",
       {at_least_zero("l2", "lambda, over the weights but not the biases; [[groups]] may give their own"),
        {.name = "l2_form",
         .type = Type::choice,
         .default_value = std::string("squared"),
         .choices = {"squared", "norm"},
         .help =
             "squared: lambda/2 sum w^2 (L1); norm: lambda ||W||_2 of each layer's weights (L2), the group "
             "lasso, whose pull does not fade and turns off whole layers"}},
       {.slides = "L1 'l2-regularization'; L2 'L1 and L2 Regularisation'",
        .without =
            "Weights may grow as long as that lowers the training loss, and the network fits noise. L2 "
            "shrinks weights but makes none of them 0, and in Adam it is divided by the gradient's "
            "size like the rest of the gradient: there adamw decays evenly.",
        .erratum = "L2 writes lambda sum ||W^k||_2, norms that are not squared, where the square is usual "
                   "(L1) and the default; l2_form = \"norm\" is L2's. It also calls L1 and L2 alike 'broadly "
                   "equivalent to Normal prior': L2 is, L1 is a "
                   "Laplace prior. L1's 'about 10^-1, 10^-2' is much for a network; 10^-4 to 10^-2 is usual.",
        .example = R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(0.1), l2=0.5)
>>> ravine.lab.descend(optimizer, lambda w: 0 * w, start=[1.0, -2.0], steps=1)[-1]  # times 1 - 0.1 * 0.5
array([ 0.95, -1.9 ])
>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(0.1), l2=0.5, l2_form="norm")
>>> ravine.lab.descend(optimizer, lambda w: 0 * w, start=[3.0, -4.0], steps=1)[-1]  # shorter by 0.1 * 0.5
array([ 2.97, -3.96]))"}},
      {Kind::regularization,
       "l1",
       "Pulls every weight towards 0 with the same force, whatever its size: many become 0.",
       "J + lambda sum |w|, so g <- g + lambda sign(w), or w <- sign(w) max(|w| - eta lambda, 0) after the "
       "step",
       "R. Tibshirani, Journal of the Royal Statistical Society B 58, 1996; I. Daubechies et al., 2004 "
       "(proximal step)",
       {at_least_zero("l1", "lambda, over the weights but not the biases"),
        {.name = "l1_form",
         .type = Type::choice,
         .default_value = std::string("subgradient"),
         .choices = {"subgradient", "proximal"},
         .help = "subgradient: lambda sign(w) is added to the gradient, and weights that should be 0 swing "
                 "around it; proximal: a soft threshold after the step, which makes exact zeros"}},
       {.slides = "L1 'l1-regularization'; L2 'L1 and L2 Regularisation'",
        .without =
            "All weights stay in use, however little they help; nothing says which inputs matter. With "
            "the subgradient alone no weight ever is exactly 0, so counting zeros finds none.",
        .erratum = "L1 writes lambda/2 sum |w| beside the step lambda w/|w|: the step is that of lambda sum "
                   "|w|, which is built. w/|w| has no value at 0; the sign of 0 is taken as 0.",
        .example =
            R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(0.1), l1=0.5, l1_form="proximal")
>>> ravine.lab.descend(optimizer, lambda w: 0 * w, start=[1.0, 0.01], steps=1)[-1]
array([0.95, 0.  ]))"}},
      {Kind::regularization,
       "max_norm",
       "A limit for the length of the weights into each unit; longer ones are scaled down to it.",
       "w <- w min(1, c / ||w||) after the step, w the weights into a unit",
       "N. Srebro, A. Shraibman, COLT 2005; N. Srivastava et al., JMLR 15, 2014",
       {at_least_zero("max_norm", "c, after the update; 0 has no limit")},
       {.slides = "extends L1 'Regularization'",
        .without = "A large learning rate, as dropout likes it, can blow weights up within a few steps. L2 "
                   "holds against that only in proportion; this is a wall, and costs nothing within it.",
        .example =
            R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(0.1), max_norm=1.0)
>>> ravine.lab.descend(optimizer, lambda w: 0 * w, start=[3.0, 0.5], steps=1)[-1]  # two units of one weight
array([1. , 0.5]))"}},
      {Kind::regularization,
       "clip_norm",
       "A limit for the length of the whole gradient, which keeps its direction.",
       "g <- g min(1, c / ||g||)",
       "R. Pascanu, T. Mikolov, Y. Bengio, ICML 2013",
       {at_least_zero("clip_norm", "c, after clip_layer_norm; 0 does not clip")},
       {.slides = "L3 'Gradient clipping', 'Plateaus and cliffs'",
        .without = "At a cliff of the error surface one huge gradient throws the weights far away and ruins "
                   "many steps of progress. Too low a limit turns every step into one of fixed length.",
        .erratum =
            "L3 keeps the direction 'if its magnitude is below a threshold': it is above the threshold "
            "that the magnitude is cut and the direction kept; below it the gradient stays as it is.",
        .example =
            R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(1.0), clip_norm=1.0)
>>> -ravine.lab.descend(optimizer, lambda w: [30.0, 40.0], start=[0.0, 0.0], steps=1)[-1]
array([0.6, 0.8]))"}},
      {Kind::regularization,
       "clip_layer_norm",
       "A limit for the length of the gradient of each layer.",
       "g_l <- g_l min(1, c / ||g_l||), g_l the gradient of layer l, weights and biases together",
       "R. Pascanu, T. Mikolov, Y. Bengio, ICML 2013",
       {at_least_zero("clip_layer_norm", "c, before clip_norm; 0 does not clip")},
       {.slides = "extends L3 'Gradient clipping'",
        .without =
            "With one limit for the whole gradient a layer that explodes takes the others' share: their "
            "steps shrink to nothing. One limit a layer changes the direction of the whole gradient.",
        .example =
            R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(1.0), clip_layer_norm=1.0)
>>> -ravine.lab.descend(optimizer, lambda w: [30.0, 40.0], start=[0.0, 0.0], steps=1)[-1]
array([0.6, 0.8]))"}},
      {Kind::regularization,
       "clip_value",
       "A limit for each element of the gradient.",
       "g_i <- max(-c, min(c, g_i))",
       "T. Mikolov, Statistical language models based on neural networks, 2012",
       {at_least_zero("clip_value", "c, after the norms; 0 does not clip")},
       {.slides = "L3 'Gradient clipping'",
        .without = "As without clip_norm. Clipping elements bends the gradient towards the diagonals, which "
                   "clipping its norm does not.",
        .example =
            R"(>>> optimizer = ravine.make_optimizer(ravine.optimizers.GradientDescent(1.0), clip_value=1.0)
>>> -ravine.lab.descend(optimizer, lambda w: [0.5, 40.0], start=[0.0, 0.0], steps=1)[-1]
array([0.5, 1. ]))"}},
      {Kind::regularization,
       "early_stopping",
       "Ends the training when the validation loss has stopped falling, and gives the network the weights of "
       "the lowest one.",
       "stop after `patience` evaluations in a row with J_validation > lowest - minimum_change",
       "L. Prechelt, Early stopping - but when?, 1998",
       {{.name = "patience",
         .type = Type::integer,
         .default_value = std::int64_t{0},
         .range = {.low = 0, .high = 2147483647},
         .help = "evaluations in a row without a lower validation loss that are borne; 0: no early stopping"},
        at_least_zero("minimum_change", "by how much the validation loss must fall to count as lower")},
       {.slides = "L1 'Early stopping'; L4 'Regularization 2: Early Stopping'",
        .without =
            "Training goes on after the network has begun to learn the training samples by heart, and "
            "the last weights, worse than earlier ones, are kept. The loss that chooses is no longer an "
            "honest estimate: judge by test samples.",
        .erratum = "L1 stops 'when validation error starts increasing'; a mini-batch's noise makes that too "
                   "early, hence patience, and the best weights are restored, not the last.",
        .example =
            R"(>>> line = ravine.layers.Dense(1, use_bias=False, weight_initializer="zeros")
>>> trainer = ravine.Trainer(ravine.Sequential(line), loss="squared_error", optimizer="gradient_descent")
>>> _ = trainer.fit([[1.0]], [1.0], epochs=500, validation=([[1.0]], [0.5]), patience=3)
>>> trainer.network.flat_parameters.round(1)  # the validation sample is fitted best on the way to 1
array([0.5], dtype=float32))"}},
      {Kind::regularization,
       "average_weights",
       "An average of the weights over the last steps, which evaluations and the trained network have.",
       "a_t = sum d^(t-i) theta_i / sum d^(t-i), i = 1 .. t",
       "B. Polyak, A. Juditsky, SIAM Journal on Control and Optimization 30, 1992",
       {{.name = "average_weights",
         .default_value = 0.0,
         .range = {.low = 0, .high = 1, .high_included = false},
         .help = "decay d: the average is over about 1 / (1 - d) steps; 0 for none",
         .reason = "at 1 the average never forgets the first steps"}},
       {.slides = "extends L1 'Stochastic Gradient Descent (SGD)'",
        .without =
            "With mini-batches the weights jitter about the minimum, and the last ones are as good as "
            "chance has it; otherwise only a falling rate brings them to rest. It keeps a second copy of "
            "the weights.",
        .example =
            R"(>>> line = ravine.Sequential(ravine.layers.Dense(1, use_bias=False, weight_initializer="zeros"))
>>> trainer = ravine.Trainer(line, loss="squared_error", optimizer="gradient_descent", average_weights=0.9)
>>> _ = trainer.fit([[1.0]], [1.0], epochs=2)  # weights 0.02 and 0.0396, the last with more weight
>>> trainer.network.flat_parameters.round(4)
array([0.0303], dtype=float32))"}},
  };
}

}  // namespace ravine::catalog
