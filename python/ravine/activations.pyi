"""Constructors of the catalog, kind "activation". Written by `make stubs`; do not edit."""

from typing import Literal

from ravine.components import Component

__all__ = [
    "Elu",
    "Gelu",
    "Identity",
    "LeakyRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Tanh",
]

def Identity() -> Component:
    """Leaves values as they are.

        y = x

    Source: B. Widrow, M. Hoff, Adaptive switching circuits, 1960 (linear units).
    """

def Sigmoid() -> Component:
    """Logistic function, between 0 and 1; saturates on both sides.

        y = 1 / (1 + e^-x)

    Source: P. Verhulst, 1845; D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986.
    """

def Tanh() -> Component:
    """Hyperbolic tangent, between -1 and 1, centred on 0.

        y = tanh x

    Source: Y. LeCun et al., Efficient BackProp, 1998.
    """

def Relu() -> Component:
    """Rectified linear unit.

        y = max(0, x)

    Source: V. Nair, G. Hinton, ICML 2010.
    """

def LeakyRelu(
    slope: float = 0.01,
) -> Component:
    """Rectified linear unit that lets a little through below 0, so that no unit dies.

        y = x for x > 0, else slope x

    Args:
        slope: slope below 0; at 0 the derivative is this one, above 0.

    Source: A. Maas, A. Hannun, A. Ng, ICML workshop, 2013.
    """

def Elu(
    alpha: float = 1.0,
) -> Component:
    """Exponential linear unit: as ReLU above 0, saturates smoothly at -alpha below.

        y = x for x > 0, else alpha (e^x - 1)

    Args:
        alpha: value it saturates at, with the sign turned, above 0.

    Source: D. Clevert, T. Unterthiner, S. Hochreiter, ICLR 2016.
    """

def Selu() -> Component:
    """Scaled ELU: with lecun_normal weights it keeps mean 0 and variance 1 from layer to layer.

        y = 1.0507 x for x > 0, else 1.0507 1.6733 (e^x - 1)

    Source: G. Klambauer et al., NeurIPS 2017.
    """

def Gelu(
    approximate: Literal["none", "tanh"] = "none",
) -> Component:
    """Gaussian error linear unit: x weighted by the normal distribution function.

        y = x Phi(x)

    Args:
        approximate: none: Phi by erf; tanh: Phi = 1/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Source: D. Hendrycks, K. Gimpel, 2016.
    """

def Silu() -> Component:
    """Sigmoid linear unit, also called swish.

        y = x / (1 + e^-x)

    Source: S. Elfwing, E. Uchibe, K. Doya, Neural Networks 107, 2018.
    """

def Softplus() -> Component:
    """Smooth form of ReLU, always above 0.

        y = log(1 + e^x)

    Source: C. Dugas et al., NIPS 2000; X. Glorot, A. Bordes, Y. Bengio, AISTATS 2011.
    """
