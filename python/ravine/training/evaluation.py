"""Evaluation of a whole split in slices, so that control comes back in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import Dataset
from ravine.data.targets import RegressionErrors
from ravine.training.crops import evaluate_crops

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

    Where values are approximated, also "rmse", "mae" and "r2", in the units of the original targets; see
    `ravine.data.targets.RegressionErrors`.

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
        {'loss': 1.0, 'rmse': 1.0, 'mae': 1.0, 'r2': 0.0}
    """
    if dataset.crops is not None:
        return evaluate_crops(network, dataset, between)
    sums: _core.Evaluation | None = None
    errors = None if network.has_accuracy else RegressionErrors(dataset.targets, dataset.target_transform)
    done = 0
    for inputs, targets, weights in slices(network, dataset):
        if done and between is not None and between():
            return None
        measured = network.measure(inputs, targets, weights)
        sums = measured if sums is None else sums + measured
        if errors is not None:
            errors.add(done, network.predict(inputs))
        done += len(inputs)
    assert sums is not None  # a data set has samples
    metrics = network.metrics(sums)
    return metrics if errors is None else {**metrics, **errors.metrics()}


def row_losses(
    network: _core.Network, dataset: Dataset, between: Callable[[], bool] | None = None
) -> NDArray[np.float64] | None:
    """The loss of each sample in evaluation, times its weight [samples]; None where it was given up.

    Args:
        network, dataset, between: as in `evaluate`.
    """
    losses = np.empty(len(dataset))
    done = 0
    for inputs, targets, weights in slices(network, dataset):
        if done and between is not None and between():
            return None
        losses[done : done + len(inputs)] = network.losses(inputs, targets, weights)
        done += len(inputs)
    return losses


def slices(
    network: _core.Network, dataset: Dataset
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]]:
    """Inputs as evaluations see them, targets and weights, slice by slice; valid until the next one."""
    size, dtype = rows_per_slice(network, dataset), network.array_dtype
    buffer = None
    if not dataset.as_stored(dtype):
        buffer = np.empty((min(size, len(dataset)), *dataset.input_shape), dtype)
    for begin in range(0, len(dataset), size):
        end = begin + size
        weights = None if dataset.weights is None else dataset.weights[begin:end]
        yield dataset.prepared(begin, end, dtype, buffer), dataset.targets[begin:end], weights
