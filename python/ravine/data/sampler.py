"""The order of the samples in every epoch, and their batches in preallocated buffers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ravine.data._gather import gather_rows
from ravine.data.dataset import Array, Dataset
from ravine.errors import InputError


def epoch_order(seed: int, epoch: int, count: int, shuffle: bool = True) -> NDArray[np.int64]:
    """The order in which an epoch visits its samples: a pure function of (seed, epoch, count).

    A Fisher-Yates shuffle with counter-based random numbers, Philox4x32-10: Salmon et al. (2011), "Parallel
    random numbers: as easy as 1, 2, 3".

    Args:
        seed: of the run.
        epoch: counted from 0.
        count: number of samples.
        shuffle: False gives 0, 1, 2, ...

    Returns:
        int64 [count], every number below `count` once.

    Example:
        >>> epoch_order(0, 0, 4, shuffle=False)
        array([0, 1, 2, 3])
    """
    if not shuffle:
        return np.arange(count, dtype=np.int64)
    from ravine._core import permutation  # here, so that reading data needs no native network code

    return np.ascontiguousarray(permutation(seed, epoch, count), np.int64)


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


class Chunk(NamedTuple):
    """Consecutive batches of one epoch, gathered into one buffer.

    Args:
        inputs: [rows, *shape]; batch i of the chunk is rows [i * batch_size, (i + 1) * batch_size).
        targets: int32 [rows] or floating [rows, outputs].
        batches: how many there are, at least 1.
        weights: of the samples [rows], where they have some.
    """

    inputs: Array
    targets: Array
    batches: int
    weights: Array | None = None


class BatchSource:
    """Mini-batches in a new order each epoch; every chunk is a pure function of (seed, epoch, batch).

    Args:
        dataset: the samples; uint8 inputs are converted to `dtype` as they are gathered.
        batch_size: samples a batch, at least 1; the last batch of an epoch may be smaller.
        seed: of the run.
        drop_last: leave out a last batch that is not full.
        shuffle: False keeps the order of the data set.
        dtype: float32 or float64, of inputs, floating targets and weights.
        maximum_batches: the most batches in a chunk; two buffers of this size are kept, but one where every
            chunk is the same.

    Raises:
        InputError: a batch size below 1, or `drop_last` with fewer samples than one batch.

    Example:
        >>> data = Dataset(np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32))
        >>> source = BatchSource(data, batch_size=2, seed=0, shuffle=False)
        >>> source.batches_per_epoch, source.chunk(0, 2, 9).inputs.shape
        (3, (1, 2))
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int,
        drop_last: bool = False,
        shuffle: bool = True,
        dtype: DTypeLike = np.float32,
        maximum_batches: int = 64,
    ) -> None:
        samples = len(dataset)
        check_batches(samples, batch_size, drop_last)
        if maximum_batches < 1:
            raise ValueError(f"maximum_batches is {maximum_batches}, expected at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.full_batches = samples // batch_size
        self.batches_per_epoch = self.full_batches if drop_last else -(-samples // batch_size)
        self.maximum_batches = min(maximum_batches, self.batches_per_epoch)
        rows = min(self.maximum_batches * batch_size, samples)
        target_type = dataset.targets.dtype if dataset.task == "classification" else np.dtype(dtype)
        self._same = not shuffle and self.batches_per_epoch == 1
        turns = range(1 if self._same else 2)
        self._inputs = [np.empty((rows, *dataset.input_shape), dtype) for _ in turns]
        self._targets = [np.empty((rows, *dataset.targets.shape[1:]), target_type) for _ in turns]
        self._weights = [np.empty(rows, dtype) for _ in turns] if dataset.weights is not None else None
        self._kept: Chunk | None = None
        self._turn = 0
        self._order_epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def samples_per_epoch(self) -> int:
        """Samples that an epoch visits."""
        return min(self.batches_per_epoch * self.batch_size, len(self.dataset))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The samples of an epoch in their order; batch i takes those from i * batch_size on."""
        if epoch != self._order_epoch:
            self._order = epoch_order(self.seed, epoch, len(self.dataset), self.shuffle)
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
        chunk = Chunk(inputs, targets, batches, weights)
        self._kept = chunk if self._same else None
        return chunk
