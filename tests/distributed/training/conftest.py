"""Ranks that are threads of this process: a whole training on several ranks without a launcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from numpy.typing import NDArray

from ravine import _core
from ravine.distributed.communicator import Communicator

SECONDS = 60.0  # after which a rank that waits for another one fails
Result = TypeVar("Result")


class Shared:
    """What the threads of a job have in common."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=SECONDS)
        self.messages: list[bytes] = [b""] * size
        self.array: NDArray[Any] | None = None
        self.groups: dict[int, list[_core.Communicator]] = {}


class ThreadRank(Communicator):
    """A rank that is a thread."""

    def __init__(self, rank: int, size: int, shared: Shared) -> None:
        super().__init__(rank, size, f"host{rank}")
        self._shared = shared
        self.hosts = [f"host{number}" for number in range(size)]

    def exchange(self, message: bytes, seconds: float | None = None) -> list[bytes] | None:
        self._shared.messages[self.rank] = message
        try:
            self._shared.barrier.wait(seconds)
        except threading.BrokenBarrierError:
            if seconds is None:
                raise
            return None
        found = list(self._shared.messages)
        self._shared.barrier.wait()
        return found

    def broadcast_array(self, values: NDArray[Any]) -> None:
        if self.rank == 0:
            self._shared.array = values
        self._shared.barrier.wait()
        values[...] = self._shared.array
        self._shared.barrier.wait()

    def native(self, color: int) -> _core.Communicator | None:
        colors = self.gather(color)
        members = [rank for rank, one in enumerate(colors) if one == color]
        if self.rank == members[0]:
            self._shared.groups[color] = _core.thread_communicators(len(members))
        self.barrier()
        mine = self._shared.groups[color][members.index(self.rank)]
        self.barrier()
        return mine if len(members) > 1 else None

    def abort(self, code: int) -> None:
        self._shared.barrier.abort()


def run_on(size: int, work: Callable[[Communicator], Result]) -> list[Result]:
    shared = Shared(size)
    results: list[Any] = [None] * size
    errors: list[BaseException | None] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadRank(rank, size, shared))
        except BaseException as error:
            errors[rank] = error
            shared.barrier.abort()  # nobody waits for this one

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SECONDS)
        assert not thread.is_alive(), "a rank has not come to its end"
    # What broke the others first; they only know of a broken barrier.
    for error in sorted(filter(None, errors), key=lambda one: isinstance(one, threading.BrokenBarrierError)):
        raise error
    return results


@pytest.fixture(scope="session")
def on_ranks() -> Callable[..., list[Any]]:
    """``on_ranks(3, work)`` calls work(world) on three ranks; returns what they return, in order.

    An error of any rank is raised.
    """
    return run_on
