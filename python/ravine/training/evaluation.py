"""Evaluation of a whole split in slices, so that control comes back in between."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ravine import _core
from ravine.data import Dataset

SLICE_FLOPS = 5e8  # tens of milliseconds of a busy processor
SLICE_BYTES = 16 << 20
NATIVE_BATCH = 256  # rows of a native evaluation batch, where a training batch is no larger


def rows_per_slice(network: _core.Network, dataset: Dataset) -> int:
    """Rows of a slice: whole native batches, so many as the shapes say; never the clock, so that bits stay.

    Args:
        network: what is evaluated.
        dataset: the split, typed as the network needs it.
    """
    batch = max(network.batch_size, NATIVE_BATCH)
    # A product of n weights costs 2n operations a row; where rows have places, weights are used at each.
    weights = network.flat_parameters.size
    places = max((math.prod(layer["output_shape"][:-1]) for layer in network.layers), default=1)
    operations = 2 * weights * places
    rows = min(SLICE_FLOPS / max(1, operations), SLICE_BYTES / max(1, sample_bytes(network, dataset)))
    return batch * max(1, int(rows) // batch)


def sample_bytes(network: _core.Network, dataset: Dataset) -> int:
    """Bytes of the inputs of one sample as the network takes them."""
    return math.prod(dataset.input_shape) * np.dtype(network.array_dtype).itemsize


def evaluate(
    network: _core.Network, dataset: Dataset, between: Callable[[], bool] | None = None
) -> dict[str, float] | None:
    """Loss and metrics of a split: "loss", for classification "accuracy", above five classes "top5".

    Args:
        network: what is evaluated.
        dataset: typed as the network needs it.
        between: called between slices; True gives the evaluation up.

    Returns:
        The loss is the mean over the rows, weighted where they have weights; the others are shares of rows,
        each counting the same. None where it was given up.

    Example:
        >>> import numpy as np
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(1)).network([2], loss="squared_error")
        >>> data = Dataset(np.zeros((3, 2), np.float32), np.ones((3, 1), np.float32))
        >>> evaluate(network, data)
        {'loss': 1.0}
    """
    size = rows_per_slice(network, dataset)
    dtype = network.array_dtype
    rows = min(size, len(dataset))
    buffer = None if dataset.as_stored(dtype) else np.empty((rows, *dataset.input_shape), dtype)
    sums: _core.Evaluation | None = None
    for begin in range(0, len(dataset), size):
        if begin and between is not None and between():
            return None
        part = slice(begin, begin + size)
        weights = None if dataset.weights is None else dataset.weights[part]
        inputs = dataset.prepared(begin, begin + size, dtype, buffer)
        measured = network.measure(inputs, dataset.targets[part], weights)
        sums = measured if sums is None else sums + measured
    assert sums is not None  # a data set has samples
    return network.metrics(sums)
