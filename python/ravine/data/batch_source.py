"""Consecutive batches of an epoch, gathered into preallocated buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ravine.data._gather import gather_rows
from ravine.data.dataset import Array, Dataset, Indices
from ravine.data.sampler import Sampler
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine import _core


def check_batches(samples: int, batch_size: int, drop_last: bool) -> None:
    """Raises InputError unless some batches can be made of the samples."""
    if batch_size < 1:
        raise InputError(f"is {batch_size}, expected at least 1", key="training.batch_size")
    if drop_last and batch_size > samples:
        raise InputError(
            f"is {batch_size}, but there are {samples} samples and drop_last leaves none of them; use "
            "smaller batches",
            key="training.batch_size",
        )


Share = Callable[[int], tuple[int, int]]  # which rows of a batch a rank takes: the first, and how many


class Chunk(NamedTuple):
    """Consecutive batches of one epoch, gathered into one buffer; of each the rows that this rank takes.

    Args:
        inputs: [rows, *shape]; batch i of the chunk is rows [i * size, (i + 1) * size), size = rows /
            batches. Of data on a device the `_core.ChosenSamples`, which stand for all arrays.
        targets: int32 [rows] or floating [rows, outputs]; None of data on a device.
        batches: how many there are, at least 1.
        weights: of the samples [rows], where they have some.
        mixture: of samples that are mixed (mixup), the labels of the others, int32 [rows], and the shares of
            the targets [rows]. Values are mixed already.
        first_row: place of a batch's first row in the batch of all ranks.
        global_batch: rows of all ranks; 0: those that are here.
    """

    inputs: Any
    targets: Any
    batches: int
    weights: Array | None = None
    mixture: tuple[Array, Array] | None = None
    first_row: int = 0
    global_batch: int = 0

    @property
    def size(self) -> int:
        """Rows of a batch that are here; there may be none."""
        return len(self.inputs) // self.batches

    def part(self, first: int, batches: int) -> Chunk:
        """Some of the batches, as views."""
        rows = slice(first * self.size, (first + batches) * self.size)
        weights = None if self.weights is None else self.weights[rows]
        mixture = None if self.mixture is None else (self.mixture[0][rows], self.mixture[1][rows])
        return self._replace(
            inputs=self.inputs[rows],
            targets=None if self.targets is None else self.targets[rows],
            batches=batches,
            weights=weights,
            mixture=mixture,
        )


class BatchSource:
    """Mini-batches in the order of a sampler; every chunk is a pure function of that and its place.

    Args:
        dataset: the samples; inputs are prepared and converted to `dtype` as they are gathered.
        sampler: gives the order of each epoch.
        batch_size: samples a batch, at least 1; the last batch of an epoch may be smaller.
        drop_last: leave out a last batch that is not full.
        dtype: float32 or float64, of inputs, floating targets and weights.
        maximum_batches: the most batches in a chunk; two buffers of this size are kept, but one where every
            chunk is the same.
        share: which rows of each batch are gathered, where ranks divide it; None: all.
        resident: the same samples in the memory of a device, which then makes the batches; None: made here.

    Raises:
        InputError: a batch size below 1, or `drop_last` with fewer samples than one batch.

    Example:
        >>> data = Dataset(np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32))
        >>> source = BatchSource(data, Sampler(seed=0, count=5), batch_size=2)
        >>> source.batches_per_epoch, source.chunk(0, 2, 9).inputs.shape
        (3, (1, 2))
    """

    ended = False  # one epoch follows the other

    def __init__(
        self,
        dataset: Dataset,
        sampler: Sampler,
        *,
        batch_size: int,
        drop_last: bool = False,
        dtype: DTypeLike = np.float32,
        maximum_batches: int = 64,
        share: Share | None = None,
        resident: _core.ResidentData | None = None,
    ) -> None:
        samples = len(dataset)
        check_batches(samples, batch_size, drop_last)
        if maximum_batches < 1:
            raise ValueError(f"maximum_batches is {maximum_batches}, expected at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.drop_last = drop_last
        self.full_batches = samples // batch_size
        self.batches_per_epoch = self.full_batches if drop_last else -(-samples // batch_size)
        self.maximum_batches = min(maximum_batches, self.batches_per_epoch)
        self._share = share
        self._resident = resident
        rows = max(
            min(self.maximum_batches, self.full_batches) * self._rows(batch_size)[1],
            self._rows(samples % batch_size)[1],
        )
        target_type = dataset.targets.dtype if dataset.task == "classification" else np.dtype(dtype)
        # Every chunk is the same: it is gathered once.
        self._same = sampler.keeps_order and self.batches_per_epoch == 1 and dataset.augmentation is None
        turns = range(1 if self._same else 2) if resident is None else ()
        self._inputs = [np.empty((rows, *dataset.input_shape), dtype) for _ in turns]
        self._targets = [np.empty((rows, *dataset.targets.shape[1:]), target_type) for _ in turns]
        self._weights = [np.empty(rows, dtype) for _ in turns] if dataset.weights is not None else None
        self._kept: Chunk | None = None
        self._turn = 0
        self._order_epoch = -1
        self._order: Indices = np.empty(0, np.int64)

    @property
    def samples_per_epoch(self) -> int:
        """Samples that an epoch visits."""
        return min(self.batches_per_epoch * self.batch_size, len(self.dataset))

    def order(self, epoch: int) -> Indices:
        """The samples of an epoch in their order; batch i takes those from i * batch_size on."""
        if epoch != self._order_epoch:
            self._order = self.sampler.order(epoch)
            self._order_epoch = epoch
        return self._order

    def chunk(self, epoch: int, first_batch: int, batches: int) -> Chunk:
        """Up to `batches` batches of an epoch from `first_batch` on.

        There may be fewer: at most `maximum_batches`, none of the next epoch, and a last batch that is not
        full comes alone. The arrays are views of one of two buffers and hold until the second next call.

        Args:
            epoch: counted from 0.
            first_batch: in [0, batches_per_epoch).
            batches: at least 1.

        Raises:
            IndexError: there is no such batch.
        """
        if epoch < 0 or batches < 1 or not 0 <= first_batch < self.batches_per_epoch:
            raise IndexError(
                f"epoch {epoch}, batch {first_batch}, {batches} batches: an epoch has batches "
                f"0..{self.batches_per_epoch - 1}"
            )
        if self._kept is not None:
            return self._kept
        following_full = max(
            1, self.full_batches - first_batch
        )  # 1 where only the smaller last batch is left
        batches = min(batches, self.maximum_batches, following_full)
        begin = first_batch * self.batch_size
        indices = self.order(epoch)[begin : begin + batches * self.batch_size]
        of_all = len(indices) // batches
        first_row, size = self._rows(of_all)
        if size < of_all:
            shared = indices.reshape(batches, of_all)[:, first_row : first_row + size]
            indices = np.ascontiguousarray(shared).reshape(-1)
        if self._resident is not None:
            chosen = self._resident.samples(indices, epoch)
            return Chunk(chosen, None, batches, None, None, first_row, of_all)
        self._turn = (self._turn + 1) % len(self._inputs)
        inputs = self._inputs[self._turn][: len(indices)]
        targets = self._targets[self._turn][: len(indices)]
        # On this thread alone: those of OpenMP would go on spinning beside the workers that train.
        self.dataset.gather(indices, inputs, epoch=epoch)
        gather_rows(self.dataset.targets, indices, targets)
        weights = None
        if self._weights is not None and self.dataset.weights is not None:
            weights = self._weights[self._turn][: len(indices)]
            gather_rows(self.dataset.weights, indices, weights)
        mixture = self._mixed(indices, epoch, targets)
        chunk = Chunk(inputs, targets, batches, weights, mixture, first_row, of_all)
        self._kept = chunk if self._same else None
        return chunk

    def _rows(self, batch: int) -> tuple[int, int]:
        return (0, batch) if self._share is None else self._share(batch)

    def _mixed(self, indices: Indices, epoch: int, targets: Array) -> tuple[Array, Array] | None:
        """Labels of the partners and shares of the targets, where samples are mixed; mixes values here."""
        mixing = self.dataset.mixing(indices, epoch)
        if mixing is None:
            return None
        others = np.empty_like(targets)
        gather_rows(self.dataset.targets, mixing.partners, others)
        shares = mixing.shares.astype(self._inputs[0].dtype)
        if self.dataset.task == "classification":
            return others, shares
        column = shares.reshape(-1, *[1] * (targets.ndim - 1))
        targets *= column
        targets += (1 - column) * others
        return None
