"""Constructors of the catalog, kind "loss". Written by `make stubs`; do not edit."""

from collections.abc import Sequence
from typing import Literal

from ravine.components import Component

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "Hinge",
    "Huber",
    "SoftmaxCrossEntropy",
    "SquaredError",
]

def SoftmaxCrossEntropy(
    label_smoothing: float = 0.0,
    class_weights: float | Sequence[float] | Literal["balanced"] = [],
) -> Component:
    """Classification: minus the log-probability of the right class; the last layer gives one logit a class.

        J = log sum_j e^z_j - z_label

    Args:
        label_smoothing: s: the target is (1 - s) one hot + s / classes, from 0 up to 1.
        class_weights: c, one a class: the mean loss is sum c_label J / sum c_label, and what smoothing adds for a class is multiplied by its own; balanced: n / (classes n_c) for a class with n_c of the n training samples; empty: all 1.

    Source: J. Bridle, 1990; C. Szegedy et al., CVPR 2016 (smoothing).
    """

def SquaredError(
    half: bool = False,
) -> Component:
    """Regression: squared difference, averaged over the outputs.

        J = mean (a - y)^2

    Args:
        half: use 1/2 (a - y)^2.

    Source: A. Legendre, 1805; C. Gauss, 1809.
    """

def AbsoluteError() -> Component:
    """Regression: absolute difference, averaged over the outputs; outliers weigh less than squared.

        J = mean |a - y|

    Source: P. Laplace, 1774.
    """

def Huber(
    delta: float = 1.0,
) -> Component:
    """Regression: squared near 0, absolute beyond delta.

        J = mean 1/2 d^2 for |d| <= delta, else delta (|d| - delta / 2), d = a - y

    Args:
        delta: difference from which on the loss grows linearly, above 0.

    Source: P. Huber, Annals of Mathematical Statistics 35, 1964.
    """

def BinaryCrossEntropy(
    positive_weight: float | Sequence[float] = [1.0],
) -> Component:
    """Yes or no, for each output on its own: targets from 0 to 1, the last layer gives logits. A sample is right where all its outputs are.

        J = mean -w t log p - (1 - t) log(1 - p), p = 1 / (1 + e^-z)

    Args:
        positive_weight: w, one for all outputs or one for each: how much more a yes counts than a no.

    Source: D. Cox, Journal of the Royal Statistical Society B 20, 1958.
    """

def Hinge(
    squared: bool = False,
) -> Component:
    """Yes or no with a margin: targets -1 or 1. A sample is right where all its outputs have the right sign.

        J = mean max(0, 1 - y a)

    Args:
        squared: use max(0, 1 - y a)^2.

    Source: C. Cortes, V. Vapnik, Machine Learning 20, 1995.
    """
