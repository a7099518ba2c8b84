"""Constructors of the catalog, kind "initializer". Written by `make stubs`; do not edit."""

from typing import Literal

from ravine.components import Component

__all__ = [
    "Constant",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Orthogonal",
    "TorchLinear",
    "TruncatedNormal",
    "Uniform",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
]

def Zeros() -> Component:
    """All zero.

        w = 0

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986 (symmetry breaking).
    """

def Constant(
    value: float = 0.0,
) -> Component:
    """All the same.

        w = c

    Args:
        value: the constant c, any number.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986 (symmetry breaking).
    """

def Uniform(
    low: float = -0.05,
    high: float = 0.05,
) -> Component:
    """Uniform between two bounds.

        w ~ U(low, high)

    Args:
        low: lower bound, any number.
        high: upper bound, any number.

    Source: Y. LeCun et al., Efficient BackProp, 1998.
    """

def Normal(
    mean: float = 0.0,
    deviation: float = 0.01,
) -> Component:
    """Small random numbers.

        w ~ N(mean, deviation^2)

    Args:
        mean: mean, any number.
        deviation: standard deviation, at least 0.

    Source: A. Krizhevsky et al., NIPS 2012 (deviation 0.01).
    """

def TruncatedNormal(
    mean: float = 0.0,
    deviation: float = 0.02,
    low: float = -0.04,
    high: float = 0.04,
) -> Component:
    """Normal without its tails: nothing falls outside two bounds.

        w ~ N(mean, deviation^2) given low <= w <= high

    Args:
        mean: mean of the normal before it is cut, any number.
        deviation: standard deviation before the cut; with bounds at two deviations it falls to 0.88 of this, above 0.
        low: lower bound of w itself, not in deviations, any number.
        high: upper bound of w itself, any number.

    Source: torch.nn.init.trunc_normal_.
    """

def LecunUniform(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Component:
    """Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), uniform form.

        w ~ U(-b, b), b = sqrt(3 / n)

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).

    Source: Y. LeCun et al., Efficient BackProp, 1998.
    """

def LecunNormal(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Component:
    """Keeps the variance of signals (fan_in, forward only) or of gradients (fan_out, backward only), normal form.

        w ~ N(0, 1 / n)

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).

    Source: Y. LeCun et al., Efficient BackProp, 1998.
    """

def XavierUniform(
    gain: float | Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] | Component = 1.0,
) -> Component:
    """Keeps the variance of signals and gradients, uniform form.

        w ~ U(-b, b), b = gain sqrt(6 / (n_in + n_out))

    Args:
        gain: factor of the deviation: a number, or the activation that follows, for its customary gain as in PyTorch (identity and sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4); lecture L1 has 4 for sigmoid: give the number, above 0.

    Source: X. Glorot, Y. Bengio, AISTATS 2010.
    """

def XavierNormal(
    gain: float | Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] | Component = 1.0,
) -> Component:
    """Keeps the variance of signals and gradients, normal form.

        w ~ N(0, gain^2 2 / (n_in + n_out))

    Args:
        gain: factor of the deviation: a number, or the activation that follows, for its customary gain as in PyTorch (identity and sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4); lecture L1 has 4 for sigmoid: give the number, above 0.

    Source: X. Glorot, Y. Bengio, AISTATS 2010.
    """

def HeUniform(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    slope: float = 0.0,
) -> Component:
    """For rectified linear units, uniform form.

        w ~ U(-b, b), b = sqrt(6 / ((1 + slope^2) n))

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).
        slope: of the leaky ReLU that follows; 0 for ReLU, at least 0.

    Source: K. He et al., ICCV 2015.
    """

def HeNormal(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    slope: float = 0.0,
) -> Component:
    """For rectified linear units, normal form.

        w ~ N(0, 2 / ((1 + slope^2) n))

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).
        slope: of the leaky ReLU that follows; 0 for ReLU, at least 0.

    Source: K. He et al., ICCV 2015.
    """

def TorchLinear() -> Component:
    """The default of PyTorch's nn.Linear, for weights and bias.

        w ~ U(-1/sqrt(n_in), 1/sqrt(n_in))

    Source: torch.nn.Linear.
    """

def Orthogonal(
    gain: float | Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] | Component = 1.0,
) -> Component:
    """Orthonormal rows or columns, whichever are fewer: signals keep their length in a linear network of any depth. Filters are rows; a vector becomes one of length gain.

        W W^T = gain^2 I or W^T W = gain^2 I

    Args:
        gain: length of each row or column: a number, or the activation that follows, for its customary gain as in PyTorch (identity and sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4); lecture L1 has 4 for sigmoid: give the number, above 0.

    Source: A. Saxe, J. McClelland, S. Ganguli, ICLR 2014.
    """
