"""Chunks that are made in a thread of their own while others are trained on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ravine.data.batch_source import BatchSource, Chunk

Result = TypeVar("Result")

POLL_SECONDS = 0.05  # how often a waiting training looks whether it is to stop
JOIN_SECONDS = 1.0  # how long the end waits for a task; one that hangs in a user's code is left behind


class Maker(Generic[Result]):
    """A thread that does one task at a time; whoever takes the result gets the task's error raised.

    Args:
        name: of the thread.

    Example:
        >>> with Maker("example") as maker:
        ...     maker.start(lambda: 6 * 7)
        ...     maker.result()
        42
    """

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._task: Callable[[], Result] | None = None
        self._done: list[Result] = []
        self._error: BaseException | None = None
        self._closed = False
        self.busy = False  # a task was started, and its result is not taken yet
        # A daemon: a task that hangs in a user's iterator does not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def start(self, task: Callable[[], Result]) -> None:
        """Begins a task; the result of the one before was taken."""
        if self.busy:
            raise RuntimeError("a task is under way; take its result first")
        with self._changed:
            self.busy, self._task = True, task
            self._changed.notify_all()

    def result(self, give_up: Callable[[], bool] | None = None) -> Result | None:
        """Waits for the task's result, or raises its error; None where `give_up` says so before that."""
        with self._changed:
            while not self._done and self._error is None:
                if give_up is not None and give_up():
                    return None
                self._changed.wait(POLL_SECONDS)
            self.busy = False
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return self._done.pop()

    def close(self) -> None:
        """Ends the thread after the task that runs, whose result is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> Maker[Result]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._task is not None)
                task, self._task = self._task, None
                if self._closed or task is None:
                    return
            try:
                result = task()
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._done.append(result)
                    self._changed.notify_all()
            del task


class Prefetcher:
    """Makes the chunk that comes next while the current one is trained on.

    Two chunks are in memory: the source's two buffers. A chunk of which some batches are left is handed out
    again from there on; one that is not what is asked for is made anew. The thread that makes them is one, so
    that the workers that train keep their processors.

    Args:
        source: of the chunks; nobody else asks it for any meanwhile.
        epochs: of the training: none is made of later ones.

    Example:
        >>> import numpy as np
        >>> from ravine.data import Dataset, Sampler
        >>> data = Dataset(np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32))
        >>> with Prefetcher(BatchSource(data, Sampler(0, 5), batch_size=2), epochs=1) as feed:
        ...     [len(feed.chunk(0, batch, 1).inputs) for batch in range(3)]
        [2, 2, 1]
    """

    ended = False

    def __init__(self, source: BatchSource, epochs: int) -> None:
        self.source = source
        self.epochs = epochs
        self.dataset = source.dataset
        self.sampler = source.sampler
        self.batch_size = source.batch_size
        self.batches_per_epoch = source.batches_per_epoch
        self.samples_per_epoch = source.samples_per_epoch
        self._maker: Maker[Chunk] = Maker("ravine prefetch")
        self._current: tuple[int, int, Chunk] | None = None  # epoch, first batch
        self._next: tuple[int, int] | None = None  # what is being made

    def chunk(self, epoch: int, first_batch: int, batches: int) -> Chunk:
        """As `BatchSource.chunk`; there may be fewer batches, where fewer were made in advance.

        Raises:
            InputError: what went wrong while the chunk was made.
        """
        left = self._left(epoch, first_batch)
        if left is None:
            made = self._made(epoch, first_batch)
            if made is None:
                made = self.source.chunk(epoch, first_batch, batches)
            self._current = (epoch, first_batch, made)
            self._make_next(epoch, first_batch + made.batches, batches)
            left = made
        return first_batches(left, batches)

    def close(self) -> None:
        """Ends the thread."""
        self._maker.close()

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _left(self, epoch: int, first_batch: int) -> Chunk | None:
        """What the current chunk holds from a batch on."""
        if self._current is None:
            return None
        current_epoch, first, chunk = self._current
        passed = first_batch - first
        if epoch != current_epoch or not 0 <= passed < chunk.batches:
            return None
        return chunk.part(passed, chunk.batches - passed)

    def _made(self, epoch: int, first_batch: int) -> Chunk | None:
        """The chunk that was made in advance, if it is the one asked for."""
        if not self._maker.busy:
            return None
        wanted, self._next = self._next, None
        if wanted == (epoch, first_batch):
            return self._maker.result()
        try:
            self._maker.result()  # it writes to a buffer
        except Exception:
            return None  # of a chunk that nobody wants
        return None

    def _make_next(self, epoch: int, batch: int, batches: int) -> None:
        if batch >= self.batches_per_epoch:
            epoch, batch = epoch + 1, 0
        if epoch < self.epochs and self.sampler.knows(epoch):
            self._next = (epoch, batch)
            self._maker.start(lambda: self.source.chunk(epoch, batch, batches))


def first_batches(chunk: Chunk, batches: int) -> Chunk:
    """At most so many batches of a chunk."""
    return chunk if chunk.batches <= batches else chunk.part(0, batches)
