"""Constructors of the catalog, kind "schedule". Written by `make stubs`; do not edit."""

from collections.abc import Sequence
from typing import Literal

from ravine.components import Component

__all__ = [
    "BoldDriver",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "CounterCycle",
    "ExponentialDecay",
    "InverseDecay",
    "LinearRamp",
    "MultiStep",
    "OnPlateau",
    "OneCycle",
    "PolynomialDecay",
    "StepDecay",
]

def Constant(
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """The same value all the time.

        eta_t = eta_0

    Args:
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: B. Widrow, M. Hoff, Adaptive switching circuits, 1960.
    """

def StepDecay(
    period: float = 10.0,
    factor: float = 0.1,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Times a factor after every period.

        eta_t = eta_0 factor^floor(t / period)

    Args:
        period: time between two changes, above 0.
        factor: what the value is multiplied with, above 0 up to 1.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: Y. LeCun et al., Efficient BackProp, 1998.
    """

def MultiStep(
    milestones: float | Sequence[float],
    factor: float = 0.1,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Times a factor at chosen times.

        eta_t = eta_0 factor^(milestones reached)

    Args:
        milestones: times of the changes, in order.
        factor: what the value is multiplied with, above 0 up to 1.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: K. He et al., CVPR 2016, section 4.2.
    """

def InverseDecay(
    decay: float = 0.01,
    power: float = 1.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Falls with the inverse of time.

        eta_t = eta_0 / (1 + decay t)^power

    Args:
        decay: how fast epsilon it falls, at least 0.
        power: 1 in L1; up to 1/2 the squares' sum is infinite, above 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: H. Robbins, S. Monro, 1951.
    """

def ExponentialDecay(
    decay: float = 0.01,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Falls by the same share in equal times.

        eta_t = eta_0 e^(-decay t)

    Args:
        decay: how fast epsilon it falls, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: L. Bottou, Stochastic gradient descent tricks, 2012.
    """

def PolynomialDecay(
    duration: float = 0.0,
    power: float = 1.0,
    minimum: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Falls along a power of the time that is left; a line for power 1.

        eta_t = minimum + (eta_0 - minimum) (1 - t / T)^power

    Args:
        duration: time T that it takes, after the warm-up; 0: to the end of the run, at least 0.
        power: 1 is a line, above 0.
        minimum: the value at the end, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: L.-C. Chen et al., DeepLab, 2017, section 4.1.
    """

def Cosine(
    duration: float = 0.0,
    minimum: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Falls along half a cosine.

        eta_t = minimum + (eta_0 - minimum) (1 + cos(pi t / T)) / 2

    Args:
        duration: time T that it takes, after the warm-up; 0: to the end of the run, at least 0.
        minimum: the value at the end, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: I. Loshchilov, F. Hutter, SGDR, ICLR 2017.
    """

def CosineRestarts(
    period: float = 10.0,
    period_factor: float = 1.0,
    minimum: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Falls along half a cosine and starts anew, each time for longer.

        eta_t = minimum + (eta_0 - minimum) (1 + cos(pi T_cur / T_i)) / 2, T_i = period_factor T_(i-1)

    Args:
        period: time T_0 to the first restart, above 0.
        period_factor: T_mult, how much longer each period is than the one before, at least 1.
        minimum: the value at the end of each period, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: I. Loshchilov, F. Hutter, SGDR, ICLR 2017.
    """

def OneCycle(
    max_factor: float = 1.0,
    div_factor: float = 25.0,
    final_div_factor: float = 10000.0,
    duration: float = 0.0,
    rise: float = 0.3,
    anneal: Literal["cosine", "linear"] = "cosine",
    three_phases: bool = False,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Up to a large value and down to a tiny one, in one cycle over the run.

        eta_0 max / div -> eta_0 max -> eta_0 max / (div final_div)

    Args:
        max_factor: the peak, as a multiple of the base value, above 0.
        div_factor: the peak divided by the start value, above 0.
        final_div_factor: the start value divided by the end value, above 0.
        duration: time T that it takes, after the warm-up; 0: to the end of the run, at least 0.
        rise: share of the time until the turn, above 0 and below 1.
        anneal: the way between two values.
        three_phases: back to the start value in the time of the rise, then on.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: L. Smith, N. Topin, Super-convergence, 2018.
    """

def CounterCycle(
    minimum: float = 0.85,
    duration: float = 0.0,
    rise: float = 0.3,
    anneal: Literal["cosine", "linear"] = "cosine",
    three_phases: bool = False,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Down and up again while the learning rate makes its one cycle; for momentum.

        m_0 -> minimum -> m_0

    Args:
        minimum: the value at the turn, at least 0.
        duration: time T that it takes, after the warm-up; 0: to the end of the run, at least 0.
        rise: share of the time until the turn, above 0 and below 1.
        anneal: the way between two values.
        three_phases: back to the start value in the time of the rise, then on.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: L. Smith, A disciplined approach to neural network hyper-parameters, 2018.
    """

def LinearRamp(
    start: float = 0.5,
    duration: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """A line from a start value to the base value: momentum's 0.5 to 0.9 in L1.

        eta_t = start + (eta_0 - start) t / T

    Args:
        start: the value at time 0, at least 0.
        duration: time T that it takes, after the warm-up; 0: to the end of the run, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: G. Hinton, A practical guide to training restricted Boltzmann machines, 2010; I. Sutskever et al., ICML 2013.
    """

def OnPlateau(
    metric: Literal["loss", "accuracy"] = "loss",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 0.0001,
    threshold_mode: Literal["relative", "absolute"] = "relative",
    cooldown: int = 0,
    minimum: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Times a factor when the validation metric has not become better for a while.

        eta <- max(factor eta, minimum) after more than `patience` evaluations without a change of `threshold`

    Args:
        metric: of the validation samples.
        factor: what the value is multiplied with, above 0 and below 1.
        patience: evaluations without improvement that are borne, from 0 up to 1e+09.
        threshold: change that counts as an improvement, at least 0.
        threshold_mode: what the threshold is measured by.
        cooldown: evaluations after a change in which none is counted, from 0 up to 1e+09.
        minimum: the lowest value, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: PyTorch's ReduceLROnPlateau.
    """

def BoldDriver(
    increase: float = 1.05,
    decrease: float = 0.5,
    minimum: float = 0.0,
    unit: Literal["epoch", "step"] = "epoch",
    warmup: float = 0.0,
    warmup_start: float = 0.1,
) -> Component:
    """Up a little after an epoch that lowered the training loss, down much after one that raised it.

        eta <- increase eta where the loss fell, eta <- decrease eta where it rose

    Args:
        increase: factor after a fall of the loss, at least 1.
        decrease: factor after a rise of the loss, above 0 and below 1.
        minimum: the lowest value, at least 0.
        unit: unit of all times.
        warmup: time in which the value first rises in a line to its start, at least 0.
        warmup_start: share of the start value with which the warm-up begins, from 0 up to 1.

    Source: R. Battiti, Complex Systems 3, 1989.
    """
