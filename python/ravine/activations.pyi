"""Constructors of the catalog, kind "activation". Written by `make stubs`; do not edit."""

from ravine.components import Component

__all__ = [
    "Identity",
    "Relu",
    "Sigmoid",
    "Tanh",
]

def Identity() -> Component:
    """Leaves values as they are.

    y = x
    """

def Sigmoid() -> Component:
    """Logistic function, between 0 and 1; saturates on both sides.

        y = 1 / (1 + e^-x)

    Source: lecture L1.
    """

def Tanh() -> Component:
    """Hyperbolic tangent, between -1 and 1, centred on 0.

        y = tanh x

    Source: Y. LeCun et al., Efficient BackProp, 1998; lecture L2.
    """

def Relu() -> Component:
    """Rectified linear unit.

        y = max(0, x)

    Source: V. Nair, G. Hinton, ICML 2010; lectures L1, L4.
    """
