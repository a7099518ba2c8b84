"""Constructors of the catalog, kind "initializer". Written by `make stubs`; do not edit."""

from typing import Literal

from ravine.components import Component

__all__ = [
    "Constant",
    "HeNormal",
    "HeUniform",
    "Normal",
    "TorchLinear",
    "Uniform",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
]

def Zeros() -> Component:
    """All zero.

        w = 0

    Source: lecture L0.
    """

def Constant(
    value: float = 0.0,
) -> Component:
    """All the same.

        w = c

    Args:
        value: the constant c, any number.

    Source: lecture L0.
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

    Source: lecture L0.
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

    Source: lecture L0.
    """

def XavierUniform(
    gain: float = 1.0,
) -> Component:
    """Keeps the variance of signals and gradients, uniform form.

        w ~ U(-b, b), b = gain sqrt(6 / (n_in + n_out))

    Args:
        gain: factor for the activation that follows: 4 for sigmoid (lecture L1), 1 for tanh, above 0.

    Source: X. Glorot, Y. Bengio, AISTATS 2010; lectures L0, L1.
    """

def XavierNormal(
    gain: float = 1.0,
) -> Component:
    """Keeps the variance of signals and gradients, normal form.

        w ~ N(0, gain^2 2 / (n_in + n_out))

    Args:
        gain: factor for the activation that follows: 4 for sigmoid (lecture L1), 1 for tanh, above 0.

    Source: X. Glorot, Y. Bengio, AISTATS 2010; lectures L0, L1.
    """

def HeUniform(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Component:
    """For rectified linear units, uniform form.

        w ~ U(-b, b), b = sqrt(6 / n)

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).

    Source: K. He et al., ICCV 2015; lecture L0.
    """

def HeNormal(
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Component:
    """For rectified linear units, normal form.

        w ~ N(0, 2 / n)

    Args:
        mode: n: the inputs of a unit (keeps the forward variance) or its outputs (the backward one).

    Source: K. He et al., ICCV 2015; lecture L0.
    """

def TorchLinear() -> Component:
    """The default of PyTorch's nn.Linear, for weights and bias.

        w ~ U(-1/sqrt(n_in), 1/sqrt(n_in))

    Source: torch.nn.Linear; lecture L0.
    """
