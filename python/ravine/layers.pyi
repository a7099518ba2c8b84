"""Constructors of the catalog, kind "layer". Written by `make stubs`; do not edit."""

from ravine.components import Component

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
]

def Dense(
    units: int,
    activation: Component | str = "identity",
    use_bias: bool = True,
    weight_initializer: Component | str = "xavier_uniform",
    bias_initializer: Component | str = "zeros",
    *,
    name: str | None = None,
) -> Component:
    """Fully connected layer: every output is a weighted sum of every input.

        y = f(x W^T + b)

    Args:
        units: number of outputs, from 1 up to 1e+07.
        activation: function f of each output.
        use_bias: add the vector b.
        weight_initializer: where the weights W begin.
        bias_initializer: where the bias b begins.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986.
    """

def Activation(
    function: Component | str,
    *,
    name: str | None = None,
) -> Component:
    """A function of each value.

        y = f(x)

    Args:
        function: the function f.

    Source: lectures L0, L1.
    """

def Flatten(
    *,
    name: str | None = None,
) -> Component:
    """The values of a sample as one vector.

    y = x
    """

def Dropout(
    rate: float = 0.5,
    *,
    name: str | None = None,
) -> Component:
    """Zeroes values at random in training and scales the others; passes them in evaluation.

        y = x m / (1 - p), m ~ Bernoulli(1 - p)

    Args:
        rate: probability p with which a value is zeroed, in steps of 1/65536, from 0 and below 1.

    Source: N. Srivastava et al., JMLR 15, 2014; lecture L1.
    """
