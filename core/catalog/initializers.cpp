#include "catalog/catalog.h"
#include "rules/activations/list.h"

namespace ravine::catalog {
namespace {

template <typename Rule>
concept HasGain = requires(const Values& settings) { Rule::gain(settings); };

std::vector<std::string> activations_with_gain() {
  std::vector<std::string> names;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    if constexpr (HasGain<Rule<double>>) names.emplace_back(Rule<double>::name);
  });
  return names;
}

double gain_of(const Component& activation) {
  double gain = 0;
  ActivationRules::for_each([&]<template <typename> class Rule>() {
    if constexpr (HasGain<Rule<double>>) {
      if (Rule<double>::name == activation.name) gain = Rule<double>::gain(activation.values);
    }
  });
  return gain;
}

Parameter gain(const std::string& what) {
  return {
      .name = "gain",
      .default_value = 1.0,
      .range = {.low = 0, .low_included = false},
      .choices = activations_with_gain(),
      .component = Kind::activation,
      .help = what +
              ": a number, or the activation that follows, for its customary gain as in PyTorch (identity "
              "and sigmoid 1, tanh 5/3, relu sqrt(2), "
              "leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4); lecture L1 has 4 for sigmoid: give the number",
      .number_of = gain_of};
}

Parameter slope() {
  return {.name = "slope",
          .default_value = 0.0,
          .range = {.low = 0},
          .help = "of the leaky ReLU that follows; 0 for ReLU"};
}

Parameter mode() {
  return {.name = "mode",
          .type = Type::choice,
          .default_value = "fan_in",
          .choices = {"fan_in", "fan_out"},
          .help = "n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one)"};
}

}  // namespace

std::vector<Entry> initializer_entries() {
  return {
      {Kind::initializer,
       "zeros",
       "All zero.",
       "w = 0",
       "D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986 (symmetry breaking)",
       {},
       {.slides = "L0 'Initialization'; L1 'Weight initialization'",
        .without = "Biases may well begin at 0. Weights must not: all units of a layer compute the same, get "
                   "the same gradient and stay alike for ever; with zeros in two layers no gradient reaches "
                   "the lower one at all.",
        .erratum = "L1 says 'no learning': the biases of the last layer still learn, which gives the "
                   "classes' frequencies.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="zeros")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].max()), 2)
0.0)"}},
      {Kind::initializer,
       "constant",
       "All the same.",
       "w = c",
       "D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986 (symmetry breaking)",
       {{.name = "value", .default_value = 0.0, .help = "the constant c"}},
       {.slides = "L0 'Initialization'; L1 'Weight initialization'",
        .without =
            "Gains begin at 1, and now and then a bias above 0 keeps units of ReLU alive at first. Weights "
            "that are all the same have zeros' fault: the units of a layer never become different.",
        .example =
            R"(>>> layer = ravine.layers.Dense(400, weight_initializer=ravine.initializers.Constant(0.5))
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].max()), 2)
0.5)"}},
      {Kind::initializer,
       "uniform",
       "Uniform between two bounds.",
       "w ~ U(low, high)",
       "Y. LeCun et al., Efficient BackProp, 1998",
       {{.name = "low", .default_value = -0.05, .help = "lower bound"},
        {.name = "high", .default_value = 0.05, .help = "upper bound"}},
       {.slides = "extends L0 'Initialization'",
        .without = "Units that begin alike stay alike. Bounds that are chosen without regard to the number "
                   "of inputs make signals shrink or grow from layer to layer.",
        .example =
            R"(>>> layer = ravine.layers.Dense(400, weight_initializer=ravine.initializers.Uniform(-0.1, 0.1))
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].max()), 2)
0.1)"}},
      {Kind::initializer,
       "normal",
       "Small random numbers.",
       "w ~ N(mean, deviation^2)",
       "A. Krizhevsky et al., NIPS 2012 (deviation 0.01)",
       {{.name = "mean", .default_value = 0.0, .help = "mean"},
        {.name = "deviation", .default_value = 0.01, .range = {.low = 0}, .help = "standard deviation"}},
       {.slides = "L0 'Initialization', 'Initialize weights with values too small or too large'; L4 "
                  "'Gradient Descent'",
        .without = "Units that begin alike stay alike. A fixed deviation fits one width only: 0.01 makes the "
                   "signals of a layer of 400 units five times weaker, a deviation of 1 makes them twenty "
                   "times stronger.",
        .example =
            R"(>>> layer = ravine.layers.Dense(400, weight_initializer=ravine.initializers.Normal(deviation=0.01))
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)
0.01)"}},
      {Kind::initializer,
       "truncated_normal",
       "Normal without its tails: nothing falls outside two bounds.",
       "w ~ N(mean, deviation^2) given low <= w <= high",
       "torch.nn.init.trunc_normal_",
       {{.name = "mean", .default_value = 0.0, .help = "mean of the normal before it is cut"},
        {.name = "deviation",
         .default_value = 0.02,
         .range = {.low = 0, .low_included = false},
         .help = "standard deviation before the cut; with bounds at two deviations it falls to 0.88 of this"},
        {.name = "low", .default_value = -0.04, .help = "lower bound of w itself, not in deviations"},
        {.name = "high", .default_value = 0.04, .help = "upper bound of w itself"}},
       {.slides = "extends L0 'Initialization'",
        .without = "A normal distribution now and then gives a weight four deviations out, which may "
                   "saturate its unit from the start.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="truncated_normal")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].max()), 2)
0.04)"}},
      {Kind::initializer,
       "lecun_uniform",
       "Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), "
       "uniform "
       "form.",
       "w ~ U(-b, b), b = sqrt(3 / n)",
       "Y. LeCun et al., Efficient BackProp, 1998",
       {mode()},
       {.slides = "L0 'Initialization (Xavier)'; L1 'One way of initializing weights'",
        .without = "As without lecun_normal; only the form of the distribution differs.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="lecun_uniform")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # 1 / sqrt(400)
0.05)"}},
      {Kind::initializer,
       "lecun_normal",
       "Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), "
       "normal "
       "form.",
       "w ~ N(0, 1 / n)",
       "Y. LeCun et al., Efficient BackProp, 1998",
       {mode()},
       {.slides = "L0 'Initialization (Xavier)'; L1 'One way of initializing weights'",
        .without = "The variance of signals is multiplied by n Var(w) in every layer: below 1 they vanish "
                   "with depth, above 1 they explode. 1/n keeps one direction, forward or backward, not "
                   "both, and only near tanh's linear part.",
        .erratum =
            "L1 writes var(a) = var(x) var(w) 'approximately' d var(x_i) var(w_i): a is a sum of d products, "
            "and for independent ones of mean 0 the last form is exact, the middle one a slip.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="lecun_normal")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # 1 / sqrt(400)
0.05)"}},
      {Kind::initializer,
       "xavier_uniform",
       "Keeps the variance of signals and gradients, uniform form.",
       "w ~ U(-b, b), b = gain sqrt(6 / (n_in + n_out))",
       "X. Glorot, Y. Bengio, AISTATS 2010",
       {gain("factor of the deviation")},
       {.slides = "L0 'Initialization (Xavier)'; L1 'Xavier initialization [Glorot 2010]'",
        .without = "Signals (too small or too large a variance of the weights) or gradients (layers of "
                   "unequal width) vanish or explode with depth. Made for tanh near 0; behind ReLU half of "
                   "the variance is missing: he_uniform.",
        .erratum = "L1's factor 4 for the sigmoid undoes its slope 1/4 at 0, not its mean of 1/2: signals "
                   "keep their variance about that mean, but are not centred.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="xavier_uniform")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # sqrt(2 / (400 + 400))
0.05)"}},
      {Kind::initializer,
       "xavier_normal",
       "Keeps the variance of signals and gradients, normal form.",
       "w ~ N(0, gain^2 2 / (n_in + n_out))",
       "X. Glorot, Y. Bengio, AISTATS 2010",
       {gain("factor of the deviation")},
       {.slides = "L0 'Initialization (Xavier)'; L1 'Xavier initialization [Glorot 2010]'",
        .without = "As without xavier_uniform; only the form of the distribution differs.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="xavier_normal")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # sqrt(2 / (400 + 400))
0.05)"}},
      {Kind::initializer,
       "he_uniform",
       "For rectified linear units, uniform form.",
       "w ~ U(-b, b), b = sqrt(6 / ((1 + slope^2) n))",
       "K. He et al., ICCV 2015",
       {mode(), slope()},
       {.slides = "L0 'Initialization(He)'",
        .without = "As without he_normal; only the form of the distribution differs.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="he_uniform")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # sqrt(2 / 400)
0.07)"}},
      {Kind::initializer,
       "he_normal",
       "For rectified linear units, normal form.",
       "w ~ N(0, 2 / ((1 + slope^2) n))",
       "K. He et al., ICCV 2015",
       {mode(), slope()},
       {.slides = "L0 'Initialization(He)'; L1 '[He2015] Initialization for ReLUs'",
        .without = "ReLU lets half of the signal's mean square through: with variance 1/n a network of 20 "
                   "layers hands on a millionth of it, and hardly trains.",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="he_normal")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].std()), 2)  # sqrt(2 / 400)
0.07)"}},
      {Kind::initializer,
       "torch_linear",
       "The default of PyTorch's nn.Linear, for weights and bias.",
       "w ~ U(-1/sqrt(n_in), 1/sqrt(n_in))",
       "torch.nn.Linear",
       {},
       {.slides = "L0 'slides 36 and 37, without a title'",
        .without = "A comparison with PyTorch would begin elsewhere. Its variance 1/(3 n) divides that of "
                   "signals by 3 in every layer, by 6 behind ReLU: fine for few layers, not for many.",
        .erratum = "PyTorch's source, which L0 shows, calls kaiming_uniform_ with a = sqrt(5). That looks "
                   "like He's initialization and is not: the bound is 1/sqrt(n_in), not sqrt(6/n_in).",
        .example = R"(>>> layer = ravine.layers.Dense(400, weight_initializer="torch_linear")
>>> network = ravine.Sequential(layer).network([400], loss="squared_error")
>>> round(float(network.parameters["dense_1.weight"].max()), 2)  # 1 / sqrt(400)
0.05)"}},
      {Kind::initializer,
       "orthogonal",
       "Orthonormal rows or columns, whichever are fewer: signals keep their length in a linear network of "
       "any "
       "depth. Filters are rows; a vector becomes one of length gain.",
       "W W^T = gain^2 I or W^T W = gain^2 I",
       "A. Saxe, J. McClelland, S. Ganguli, ICLR 2014",
       {gain("length of each row or column")},
       {.slides = "extends L0 'How to find appropriate initialization values'",
        .without =
            "Random weights keep the variance on average only: products of many random matrices stretch some "
            "directions and crush others, the more the deeper. Activations still change lengths.",
        .example = R"(>>> layer = ravine.layers.Dense(50, weight_initializer="orthogonal")
>>> network = ravine.Sequential(layer).network([50], loss="squared_error", dtype="float64")
>>> weight = network.parameters["dense_1.weight"]
>>> bool(np.allclose(weight @ weight.T, np.eye(50)))
True)"}},
      {Kind::calibration,
       "lsuv",
       "Layer-sequential unit variance: orthogonal weights, scaled from the first layer to the last until "
       "what "
       "each layer's weights give has unit variance on a batch of samples.",
       "W <- W sqrt(variance / Var(W x + b)), layer by layer",
       "D. Mishkin, J. Matas, All you need is a good init, ICLR 2016",
       {{.name = "calibrate",
         .type = Type::boolean,
         .default_value = false,
         .help = "of [model]: do it before the first step, on 512 training samples, in place of the layers' "
                 "weight initializers; the other settings are of ravine.lsuv"},
        {.name = "orthogonal",
         .type = Type::boolean,
         .default_value = true,
         .help = "draw the weights anew first, by the initializer orthogonal"},
        {.name = "variance",
         .default_value = 1.0,
         .range = {.low = 0, .low_included = false},
         .help = "what is wanted, before the activation"},
        {.name = "tolerance",
         .default_value = 0.01,
         .range = {.low = 0, .low_included = false},
         .help = "largest relative difference from it"}},
       {.slides = "extends L0 'How to find appropriate initialization values'",
        .without =
            "The formulas assume independent inputs of mean 0 and one kind of activation: where they do not "
            "hold, as behind pooling or with rare activations, signals shrink or grow from layer to layer. "
            "It "
            "needs typical samples, and gives little where batch normalization does the same at every step.",
        .example =
            R"(>>> model = ravine.Sequential(ravine.layers.Dense(50, activation="elu"), ravine.layers.Dense(3))
>>> network = model.network([20], loss="squared_error")
>>> rows = ravine.lsuv(network, np.random.default_rng(0).normal(size=(200, 20)))
>>> [round(row.after, 2) for row in rows]
[1.0, 1.0])",
        .family = "initializers"}},
  };
}

}  // namespace ravine::catalog
