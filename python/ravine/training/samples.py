"""Samples from a user's arrays, as a network and its loss need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ravine import _core
from ravine.data import Dataset, as_dataset
from ravine.data.mapping import mapped_file
from ravine.errors import InputError

Samples = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]  # inputs, targets, weights


def typed_samples(
    network: _core.Network, name: str, inputs: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
) -> Dataset:
    """The samples with labels or values as the loss takes them, in the network's element type.

    Inputs in a memory map stay there, and are converted as they are gathered.

    Args:
        network: which they are for.
        name: what messages call them.
        inputs, targets, weights: see `ravine.data.as_dataset`.

    Raises:
        InputError: arrays that do not fit the network or its loss; the row is named.

    Example:
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(1)).network([2], loss="squared_error")
        >>> typed_samples(network, "data", [[0.0, 1.0]], [2.0]).targets
        array([[2.]], dtype=float32)
    """
    if network.classifies:
        classes = network.output_shape[-1]
        data = as_dataset(inputs, targets, weights, task="classification", classes=classes, name=name)
        values = data.targets
    else:
        data = as_dataset(inputs, targets, weights, task="regression", name=name)
        if (data.outputs,) != network.output_shape:
            raise InputError(
                f"there are {data.outputs} target values a sample, but the network gives "
                f"{' x '.join(map(str, network.output_shape))} and its loss compares them one by one; "
                "use as many units, or for class labels a loss of classification",
                key=name,
            )
        values = data.targets.astype(network.array_dtype)
    mapped = mapped_file(data.inputs) is not None  # converted as it is read
    return Dataset(
        data.inputs if mapped else np.ascontiguousarray(data.inputs, network.array_dtype),
        values,
        data.classes,
        data.class_names,
        name,
        None if data.weights is None else data.weights.astype(network.array_dtype),
    )
