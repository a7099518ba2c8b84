"""Batches that come one after the other, without an end, from a user's iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from ravine.data.batch_source import Chunk
from ravine.data.dataset import Dataset
from ravine.data.prefetch import Maker
from ravine.data.sampler import Sampler
from ravine.errors import InputError, RavineError

_END = object()  # what is read where the iterator has ended


class Stream:
    """Batches of an iterator, of which the next one is read and checked while one is trained on.

    The iterator is asked for at most `steps` batches, in a thread of its own and one at a time.

    Args:
        batches: gives (inputs, targets) or (inputs, targets, weights).
        typed: checks and converts a batch, given what messages call it.
        steps: batches in all.
        steps_per_round: batches of a round, which stands in for an epoch.
        give_up: whether waiting for a batch is to end, because the training is to stop.

    Example:
        >>> import numpy as np
        >>> from ravine.data import as_dataset
        >>> batches = iter([([[0.0], [1.0]], [0.0, 1.0])])
        >>> typed = lambda name, *arrays: as_dataset(*arrays, name=name)
        >>> with Stream(batches, typed, steps=2, steps_per_round=2) as stream:
        ...     stream.chunk(0, 0, 9).inputs.shape, stream.chunk(0, 1, 9), stream.ended
        ((2, 1), None, True)
    """

    sampler: Sampler | None = None
    dataset: Dataset | None = None

    def __init__(
        self,
        batches: Iterator[Any],
        typed: Callable[..., Dataset],
        *,
        steps: int,
        steps_per_round: int,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.steps = steps
        self.batches_per_epoch = steps_per_round
        self.ended = False
        self.read = 0  # batches that were taken
        self._batches = batches
        self._typed = typed
        self._give_up = give_up
        self._shape: tuple[int, ...] = ()
        self._rows = 1
        self._ahead: Dataset | None = None
        self._maker: Maker[Any] = Maker("ravine stream")

    @property
    def samples_per_epoch(self) -> int:
        """Of a round, if all batches are like the last one."""
        return self._rows * self.batches_per_epoch

    def first(self) -> Dataset | None:
        """The batch that comes next, which the next chunk is; None if there is none, or waiting was given up.

        Raises:
            InputError: it cannot be used, or the iterator has raised an exception; the batch is named.
        """
        if self._ahead is None and not self.ended:
            if not self._maker.busy:
                self._begin()
            found = self._maker.result(self._give_up)
            if found is _END:
                self.ended = True
            elif found is not None:
                self._ahead = found
        return self._ahead

    def chunk(self, epoch: int, first_batch: int, batches: int) -> Chunk | None:
        """The next batch, whatever is asked for; None as `first`.

        Raises:
            InputError: as `first`.
        """
        batch = self.first()
        if batch is None:
            return None
        self._ahead = None
        self.read += 1
        self._rows = len(batch)
        if self.read < self.steps:
            self._begin()
        return Chunk(batch.inputs, batch.targets, 1, batch.weights)

    def close(self) -> None:
        """Ends the thread; what it has read of the iterator in advance is dropped."""
        self._maker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(self) -> None:
        number = self.read + 1
        self._maker.start(lambda: self._next(number))

    def _next(self, number: int) -> Any:
        """A checked batch, or _END; in the thread."""
        name = f"batch {number} of the stream"
        try:
            item = next(self._batches, _END)
        except RavineError:
            raise
        except Exception as error:
            raise InputError(f"the iterator raised {type(error).__name__}: {error}", key=name) from error
        if item is _END:
            return _END
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            given = type(item).__name__ + (f" of {len(item)}" if isinstance(item, tuple | list) else "")
            raise InputError(
                f"is a {given}, expected (inputs, targets) or (inputs, targets, weights)", key=name
            )
        batch = self._typed(name, *item)
        self._shape = self._shape or batch.input_shape
        if batch.input_shape != self._shape:
            shapes = f"{list(batch.input_shape)}, those before had {list(self._shape)}"
            raise InputError(f"has samples of shape {shapes}", key=name)
        return batch
