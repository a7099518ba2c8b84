"""Constructors of the catalog, kind "loss". Written by `make stubs`; do not edit."""

from ravine.components import Component

__all__ = [
    "SoftmaxCrossEntropy",
    "SquaredError",
]

def SoftmaxCrossEntropy() -> Component:
    """Classification: minus the log-probability of the right class; the last layer gives one logit a class.

        J = log sum_j e^z_j - z_label

    Source: J. Bridle, 1990; lectures L1, L2.
    """

def SquaredError(
    half: bool = False,
) -> Component:
    """Regression: squared difference, averaged over the outputs.

        J = mean (a - y)^2

    Args:
        half: use 1/2 (a - y)^2.

    Source: lecture L2.
    """
