#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter gain() {
  return {.name = "gain",
          .default_value = 1.0,
          .range = {.low = 0, .low_included = false},
          .help = "factor for the activation that follows: 4 for sigmoid (lecture L1), 1 for tanh"};
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
      {Kind::initializer, "zeros", "All zero.", "w = 0", "lecture L0", {}},
      {Kind::initializer,
       "constant",
       "All the same.",
       "w = c",
       "lecture L0",
       {{.name = "value", .default_value = 0.0, .help = "the constant c"}}},
      {Kind::initializer,
       "uniform",
       "Uniform between two bounds.",
       "w ~ U(low, high)",
       "lecture L0",
       {{.name = "low", .default_value = -0.05, .help = "lower bound"},
        {.name = "high", .default_value = 0.05, .help = "upper bound"}}},
      {Kind::initializer,
       "normal",
       "Small random numbers.",
       "w ~ N(mean, deviation^2)",
       "lecture L0",
       {{.name = "mean", .default_value = 0.0, .help = "mean"},
        {.name = "deviation", .default_value = 0.01, .range = {.low = 0}, .help = "standard deviation"}}},
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
        {.name = "high", .default_value = 0.04, .help = "upper bound of w itself"}}},
      {Kind::initializer,
       "lecun_uniform",
       "Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), "
       "uniform "
       "form.",
       "w ~ U(-b, b), b = sqrt(3 / n)",
       "Y. LeCun et al., Efficient BackProp, 1998; lecture L0",
       {mode()}},
      {Kind::initializer,
       "lecun_normal",
       "Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), "
       "normal "
       "form.",
       "w ~ N(0, 1 / n)",
       "Y. LeCun et al., Efficient BackProp, 1998; lectures L0, L1",
       {mode()}},
      {Kind::initializer,
       "xavier_uniform",
       "Keeps the variance of signals and gradients, uniform form.",
       "w ~ U(-b, b), b = gain sqrt(6 / (n_in + n_out))",
       "X. Glorot, Y. Bengio, AISTATS 2010; lectures L0, L1",
       {gain()}},
      {Kind::initializer,
       "xavier_normal",
       "Keeps the variance of signals and gradients, normal form.",
       "w ~ N(0, gain^2 2 / (n_in + n_out))",
       "X. Glorot, Y. Bengio, AISTATS 2010; lectures L0, L1",
       {gain()}},
      {Kind::initializer,
       "he_uniform",
       "For rectified linear units, uniform form.",
       "w ~ U(-b, b), b = sqrt(6 / n)",
       "K. He et al., ICCV 2015; lecture L0",
       {mode()}},
      {Kind::initializer,
       "he_normal",
       "For rectified linear units, normal form.",
       "w ~ N(0, 2 / n)",
       "K. He et al., ICCV 2015; lecture L0",
       {mode()}},
      {Kind::initializer,
       "torch_linear",
       "The default of PyTorch's nn.Linear, for weights and bias.",
       "w ~ U(-1/sqrt(n_in), 1/sqrt(n_in))",
       "torch.nn.Linear; lecture L0",
       {}},
      {Kind::initializer,
       "orthogonal",
       "Orthonormal rows or columns, whichever are fewer: signals keep their length in a linear network of "
       "any "
       "depth. Filters are rows; a vector becomes one of length gain.",
       "W W^T = gain^2 I or W^T W = gain^2 I",
       "A. Saxe, J. McClelland, S. Ganguli, ICLR 2014",
       {{.name = "gain",
         .default_value = 1.0,
         .range = {.low = 0, .low_included = false},
         .help = "length of each row or column: 1 for tanh, sqrt(2) for relu"}}},
  };
}

}  // namespace ravine::catalog
