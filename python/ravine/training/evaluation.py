"""Evaluation of a whole split in slices, so that control comes back in between and ranks can share them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import Dataset
from ravine.data.targets import RegressionErrors
from ravine.distributed.ranks import Ranks
from ravine.training.crops import evaluate_crops
from ravine.training.turns import in_turns

SLICE_FLOPS = 5e8  # tens of milliseconds of a busy processor
SLICE_BYTES = 16 << 20
Sums = tuple[float, float, int, int, int]  # of an `Evaluation`
NATIVE_BATCH = 256  # rows of a native evaluation batch, where a training batch is no larger


def rows_per_slice(network: _core.Network, dataset: Dataset) -> int:
    """Rows of a slice: whole native batches, so many as the shapes say; never the clock, so that bits stay.

    Args:
        network: what is evaluated.
        dataset: the split, typed as the network needs it.
    """
    batch = max(network.batch_size, NATIVE_BATCH)
    # A product of n weights costs 2n operations a row; where rows have places, weights are used at each.
    # Those of the whole network: ranks that share it go in step.
    weights = sum(layer["parameters"] for layer in network.layers)
    places = max((math.prod(layer["output_shape"][:-1]) for layer in network.layers), default=1)
    operations = 2 * weights * places
    rows = min(SLICE_FLOPS / max(1, operations), SLICE_BYTES / max(1, sample_bytes(network, dataset)))
    return batch * max(1, int(rows) // batch)


def sample_bytes(network: _core.Network, dataset: Dataset) -> int:
    """Bytes of the inputs of one sample as the network takes them."""
    return math.prod(dataset.input_shape) * np.dtype(network.array_dtype).itemsize


def evaluate(
    network: _core.Network,
    dataset: Dataset,
    between: Callable[[], bool] | None = None,
    ranks: Ranks | None = None,
    resident: _core.ResidentData | None = None,
) -> dict[str, float] | None:
    """Loss and metrics of a split: "loss", for classification "accuracy", above five classes "top5".

    Where values are approximated, also "rmse", "mae" and "r2", in the units of the original targets; see
    `ravine.data.targets.RegressionErrors`.

    Args:
        network: what is evaluated.
        dataset: typed as the network needs it.
        between: called between slices; True gives the evaluation up.
        ranks: that share the slices, all of which call this; None: this process alone.
        resident: the same samples in the memory of the network's device.

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
        return evaluate_crops(network, dataset, between, ranks)
    errors = None if network.has_accuracy else RegressionErrors(dataset.targets, dataset.target_transform)
    slices = Slices(network, dataset, resident)

    def measured(number: int) -> tuple[Sums, tuple[list[float], list[float]] | None]:
        inputs, targets, weights = slices[number]
        found = network.measure(inputs, targets, weights)
        sums = (found.loss, found.weight, found.correct, found.correct_top5, found.rows)
        if errors is None:
            return sums, None
        return sums, errors.sums(number * slices.rows, network.predict(inputs))

    parts = in_turns(len(slices), measured, between, ranks)
    if parts is None:
        return None
    total = _core.Evaluation()
    for sums, of_errors in parts:
        total += _core.Evaluation(*sums)
        if errors is not None and of_errors is not None:
            errors.add_sums(*of_errors)
    metrics = network.metrics(total)
    return metrics if errors is None else {**metrics, **errors.metrics()}


def row_losses(
    network: _core.Network,
    dataset: Dataset,
    between: Callable[[], bool] | None = None,
    ranks: Ranks | None = None,
    resident: _core.ResidentData | None = None,
) -> NDArray[np.float64] | None:
    """The loss of each sample in evaluation, times its weight [samples]; None where it was given up.

    Args:
        network, dataset, between, ranks, resident: as in `evaluate`.
    """
    slices = Slices(network, dataset, resident)
    parts = in_turns(len(slices), lambda number: network.losses(*slices[number]).tobytes(), between, ranks)
    return None if parts is None else np.frombuffer(b"".join(parts))


class Slices:
    """Inputs as evaluations see them, targets and weights, slice by slice; each is valid until the next one.

    Args:
        network: what is evaluated.
        dataset: typed as the network needs it.
    """

    def __init__(
        self, network: _core.Network, dataset: Dataset, resident: _core.ResidentData | None = None
    ) -> None:
        self._resident = resident
        self.rows = rows_per_slice(network, dataset)
        self._dataset = dataset
        self._dtype = network.array_dtype
        self._buffer: NDArray[Any] | None = None
        if resident is None and not dataset.as_stored(self._dtype):
            self._buffer = np.empty((min(self.rows, len(dataset)), *dataset.input_shape), self._dtype)

    def __len__(self) -> int:
        return -(-len(self._dataset) // self.rows)

    def __getitem__(self, number: int) -> tuple[Any, NDArray[Any] | None, NDArray[Any] | None]:
        begin, end = number * self.rows, (number + 1) * self.rows
        if self._resident is not None:
            places = np.arange(begin, min(end, len(self._dataset)), dtype=np.int64)
            return self._resident.samples(places), None, None
        weights = None if self._dataset.weights is None else self._dataset.weights[begin:end]
        inputs = self._dataset.prepared(begin, end, self._dtype, self._buffer)
        return inputs, self._dataset.targets[begin:end], weights
