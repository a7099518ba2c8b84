"""Ranks that train a network together: which there are, what they tell each other, how they begin and end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ravine.distributed.environment import place as place

if TYPE_CHECKING:
    from ravine.distributed.communicator import Communicator

_world: Communicator | None = None
_starting = False  # MPI is to begin
TELLING_SECONDS = 3.0
notes: list[str] = []  # warnings of this rank, of which rank 0 is still to hear


def start() -> Communicator:
    """All ranks of the job that this process belongs to; the first call begins MPI where mpirun asks for it.

    Raises:
        InputError: a launcher has started several processes, and MPI cannot be used.
    """
    global _world, _starting
    if _world is None:
        here = place()
        if here.alone:
            from ravine.distributed.communicator import Serial

            _world = Serial()
        else:
            _starting = True
            from ravine.distributed.mpi import Mpi

            world = Mpi(here.size)
            if world.size > 1:
                world.watch()
            _world = world
    return _world


def begin() -> None:
    """What a process does first: one of several dies with its launcher, whatever happens to either."""
    if not place().alone:
        from ravine.distributed.failure import die_with_launcher

        die_with_launcher()


def fail(error: BaseException, reason: str, code: int) -> None:
    """Ends all ranks, and tells which one has failed and why; returns where all ranks have, or there is one.

    Args:
        error: that ends this one.
        reason: the same in one line.
        code: the exit code that it means.
    """
    if _world is not None and _world.size > 1 and not is_agreed(error):
        from ravine.distributed import failure

        failure.fail(reason, code)


def told(reason: str, code: int) -> None:
    """Lets `ravine launch` know that an error is on the terminal."""
    if not place().alone:
        from ravine.distributed import failure

        failure.fact(failed=reason, code=code)


def end(code: int) -> int:
    """What a process does last, of its own accord: says so, for all ranks end together; returns the code."""
    if _world is not None and _world.size > 1:
        from ravine.distributed import failure

        failure.exit_code = code
    return code


def tells(error: BaseException) -> bool:
    """Whether this rank is the one that prints an error which ends the job."""
    if _world is not None:
        return _world.leads or not is_agreed(error)
    # Before MPI has begun all ranks read the same words; that it cannot begin may be so on one machine alone.
    here = place()
    return here.rank == 0 or (_starting and here.local_rank == 0)


def is_agreed(error: BaseException) -> bool:
    """Whether all ranks raise this error, so that one of them may tell of it and all may leave."""
    return bool(getattr(error, "agreed", False))


def who(error: BaseException) -> str | None:
    """Which ranks have met an error that this one tells of; None where all have, or there is only one."""
    if is_agreed(error):
        return getattr(error, "ranks", None)
    return None if _world is None or _world.size == 1 else str(_world)


def leave(error: BaseException, code: int) -> None:
    """Ends the other ranks too, unless they raise the same error.

    Args:
        error: that ends this one, and has been told of.
        code: the exit code that it means.
    """
    if _world is None and not tells(error):
        # mpirun kills all ranks when the first one leaves; that is to be the one that tells.
        time.sleep(TELLING_SECONDS)
    if not is_agreed(error):
        abort(code)


def abort(code: int) -> None:
    """Ends all ranks at once, where there are several; returns where this process is alone."""
    if _world is not None and _world.size > 1:
        _world.abort(code)
