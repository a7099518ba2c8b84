"""Constructors of the catalog, kind "optimizer". Written by `make stubs`; do not edit."""

from ravine.components import Component

__all__ = [
    "Adam",
    "GradientDescent",
    "Momentum",
    "Nesterov",
]

def GradientDescent(
    learning_rate: float = 0.01,
) -> Component:
    """A step against the gradient of the batch.

        theta <- theta - eta g

    Args:
        learning_rate: step size eta, at least 0.

    Source: H. Robbins, S. Monro, 1951; lectures L1, L2, L4.
    """

def Momentum(
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    damped: bool = False,
) -> Component:
    """Steps along a running sum of gradients, the heavy ball.

        v <- gamma v + eta g, theta <- theta - v

    Args:
        learning_rate: step size eta, at least 0.
        momentum: share gamma of the last step that is kept, from 0 and below 1.
        damped: L3's form: the new gradient is weighted with 1 - gamma.

    Source: B. Polyak, 1964; lectures L1, L2, L3, L4.
    """

def Nesterov(
    learning_rate: float = 0.01,
    momentum: float = 0.9,
) -> Component:
    """Momentum whose gradient is taken where the momentum is about to lead.

        v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v

    Args:
        learning_rate: step size eta, at least 0.
        momentum: share gamma of the last step that is kept, from 0 and below 1.

    Source: Y. Nesterov, 1983; I. Sutskever et al., ICML 2013; lectures L0, L1, L4.
    """

def Adam(
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
) -> Component:
    """A step for each weight, scaled by running moments of its gradient.

        theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, at least 0.

    Source: D. Kingma, J. Ba, ICLR 2015; lectures L0 to L4.
    """
