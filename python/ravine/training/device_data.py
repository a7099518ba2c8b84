"""Samples in the memory of a network's device, which then makes their batches: gathers and augments them.

The order of the samples, the random numbers and the results are those of batches that are made by the
processor. What does not fit is made by it, and copied while the device trains.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import Dataset
from ravine.data._gather import gather_rows
from ravine.data.augmentation import Augmentation
from ravine.data.augmentation.pipeline import normal_quantiles
from ravine.data.checks import check_finite
from ravine.data.mapping import mapped_file
from ravine.distributed.ranks import Ranks
from ravine.errors import DeviceError, InputError

DEVICE_SHARE = 0.5
SLICE_BYTES = 32 << 20  # of samples that are copied at once
PICTURE_WORK = 256 << 20  # that augmenting takes beside the samples


class DeviceData:
    """Which data sets of a training lie on its device, and why others do not.

    Args:
        share: of the device's free memory that samples may take; 0: none lie there.

    Raises:
        InputError: a share below 0 or above 1.

    Example:
        >>> DeviceData(0.25).lines
        []
    """

    def __init__(self, share: float = DEVICE_SHARE) -> None:
        if not 0.0 <= share <= 1.0:
            raise InputError(f"is {share}, expected 0 to 1", key="device_data")
        self.share = share
        self.lines: list[str] = []  # for the log: a sentence a data set
        self._kept: dict[Dataset, _core.ResidentData] = {}

    def of(self, dataset: Dataset) -> _core.ResidentData | None:
        """The samples on the device; None where they are not there."""
        return self._kept.get(dataset)

    @contextlib.contextmanager
    def keeping(self, network: _core.Network, datasets: Sequence[Dataset], ranks: Ranks) -> Iterator[None]:
        """Within it the data sets lie on the network's device, those first that are given first, if they may.

        Args:
            network: compiled, with the plans of its training.
            datasets: of the training.
            ranks: that train together; those of a host may share a card.

        Raises:
            InputError: a value of a memory map is not finite; file and row are named.
        """
        self.lines = []
        memory = network.device_memory
        if memory is not None and self.share > 0.0:
            network.describe()  # its plan takes memory, too
            memory = network.device_memory
        if memory is not None:
            budget = self.share * memory[0] / (1 if ranks.alone else ranks.size)
            for dataset in datasets:
                budget -= self._keep(network, dataset, budget)
        try:
            yield
        finally:
            self._kept.clear()

    def _keep(self, network: _core.Network, dataset: Dataset, budget: float) -> float:
        """Bytes that the data set takes on the device."""
        needed = bytes_needed(network, dataset)
        reason = why_not(dataset)
        if self.share == 0.0:
            reason = "device_data is 0"
        elif not reason and needed > budget:
            free = f"{max(budget, 0.0) / 2**20:,.1f} MiB"
            reason = f"they need {needed / 2**20:,.1f} MiB, and samples may take {free} of its free memory"
        if not reason:
            try:
                self._kept[dataset] = resident(network, dataset)
            except DeviceError as error:
                reason = str(error)
        if reason:
            self.lines.append(f"batches of {dataset.name} are made by the processor: {reason}")
            return 0.0
        self.lines.append(
            f"{len(dataset):,} samples of {dataset.name} lie on {network.device}, {needed / 2**20:,.1f} MiB"
        )
        return needed


def why_not(dataset: Dataset) -> str:
    """Why a device cannot make batches of some samples; empty where it can."""
    if dataset.crops is not None:
        return "answers are averaged over several windows of a picture"
    if dataset.transform is not None and dataset.transform.matrix is not None:
        return f"{dataset.transform.kind} mixes the features of a sample as it is gathered"
    if dataset.augmentation is not None and not isinstance(dataset.augmentation, Augmentation):
        return "their augmentation is written in Python"
    return ""


def bytes_needed(network: _core.Network, dataset: Dataset) -> float:
    """Of the device's memory, where all samples lie there as they are stored."""
    element = np.dtype(network.array_dtype).itemsize
    stored = math.prod(dataset.inputs.shape[1:]) * dataset.inputs.itemsize
    target = 4 if network.classifies else dataset.outputs * element
    weight = element if dataset.weights is not None else 0
    work = PICTURE_WORK if dataset.augmentation is not None else 0
    return float(len(dataset) * (stored + target + weight) + work)


def resident(network: _core.Network, dataset: Dataset) -> _core.ResidentData:
    """Copies samples to the network's device.

    Args:
        network: compiled for a device with memory of its own.
        dataset: typed as the network needs it; `why_not` has nothing against it.

    Raises:
        DeviceError: there is not enough memory.
        InputError: a value of a memory map is not finite; file and row are named.
    """
    settings: dict[str, Any] = {}
    augmentation, transform = dataset.augmentation, dataset.transform
    if transform is not None:
        settings["mean"] = transform.mean.ravel().tolist()
        settings["scale"] = (1.0 / transform.deviation).ravel().tolist()
    if isinstance(augmentation, Augmentation):
        settings["augmentation"] = (augmentation.native, augmentation.evaluation().native)
        settings["quantiles"] = normal_quantiles().tolist()
        if augmentation.mixup is not None:
            mixup = augmentation.mixup
            settings["mixup"] = (len(augmentation.steps) - 1, mixup.alpha, mixup.probability)
    data = _core.ResidentData(
        network,
        samples=len(dataset),
        stored=str(dataset.inputs.dtype),
        stored_values=math.prod(dataset.inputs.shape[1:]),
        weighted=dataset.weights is not None,
        **settings,
    )
    dtype = network.array_dtype
    targets = dataset.targets if network.classifies else dataset.targets.astype(dtype, copy=False)
    weights = None if dataset.weights is None else dataset.weights.astype(dtype, copy=False)
    data.write_targets(targets, weights)
    for first, part in slices(dataset):
        data.write_inputs(first, part)
    return data


def slices(dataset: Dataset) -> Iterator[tuple[int, NDArray[Any]]]:
    """The stored inputs of all samples in their order, some at a time, with the place of the first."""
    inputs = dataset.inputs
    row_bytes = max(1, math.prod(inputs.shape[1:]) * inputs.itemsize)
    at_once = max(1, SLICE_BYTES // row_bytes)
    file = mapped_file(inputs)
    for begin in range(0, len(dataset), at_once):
        end = min(begin + at_once, len(dataset))
        if dataset.rows is None and file is None:
            yield begin, inputs[begin:end]
            continue
        rows = np.arange(begin, end, dtype=np.int64) if dataset.rows is None else dataset.rows[begin:end]
        part = np.empty((end - begin, *inputs.shape[1:]), inputs.dtype)
        gather_rows(inputs, rows, part)
        if file is not None and part.dtype != np.uint8:
            check_finite(part, "inputs", dataset.name, rows=rows, file=file)
        yield begin, part
