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
  };
}

}  // namespace ravine::catalog
