"""Optimizers on functions of a few weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine import _core
from ravine.components import Component
from ravine.errors import InputError
from ravine.layers import Dense
from ravine.model import Sequential, whole_number
from ravine.training.optimizer import make_optimizer

Point = NDArray[np.float64]


def descend(
    optimizer: Component | str | _core.Optimizer,
    gradient: Callable[[Point], ArrayLike],
    start: Sequence[float],
    steps: int,
    *,
    until: Callable[[Point], bool] | None = None,
) -> Point:
    """The path of an optimizer over a function of a few weights, in float64.

    The weights are those of a dense layer with one input, 1, so that its output is the weights themselves and
    the function's gradient is that of the output: what trains networks goes along the path.

    Args:
        optimizer: from `ravine.optimizers`, a catalog name, or an optimizer with its regularization. It must
            take its steps by gradients alone; those that evaluate losses need a network and samples.
        gradient: of the function at a point [n].
        start: the first point [n].
        steps: at most, at least 0.
        until: ends the path at the first point for which it is true.

    Returns:
        The points [steps + 1, n], the start first.

    Raises:
        InputError: no such optimizer, settings out of range, or gradients that are not finite.

    Example:
        >>> path = descend("gradient_descent", lambda w: 2 * w, [1.0, -1.0], steps=3)
        >>> path[:, 0].round(6).tolist()
        [1.0, 0.98, 0.9604, 0.941192]
    """
    whole_number("steps", steps, 0)
    first = np.asarray(start, dtype=np.float64)
    if first.ndim != 1 or not first.size:
        raise InputError("expected a list of numbers", key="start")
    network = Sequential(Dense(first.size, use_bias=False)).network(
        [1], loss="squared_error", batch_size=1, dtype="float64", threads=1
    )
    network.flat_parameters[...] = first
    rule = make_optimizer(optimizer)
    one = np.ones((1, 1))
    path = [first]
    for step in range(steps):
        if until is not None and until(path[-1]):
            break
        rule.look_ahead(network)
        point = network.forward(one, training=True)[0].copy()
        slope = np.broadcast_to(np.asarray(gradient(point), dtype=np.float64), point.shape)
        if not np.isfinite(slope).all():
            raise InputError(f"is {slope.tolist()} at {point.tolist()}, in step {step}", key="gradient")
        network.backward(np.ascontiguousarray(slope[None]))
        rule.step(network)
        path.append(network.flat_parameters.copy())
    return np.array(path)
