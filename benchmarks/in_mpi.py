"""Bare sums of MPI, of the library and with the algorithms that Ravine takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ravine.distributed.mpi import MPI


def prepare_sum(count: int, repeats: int, in_background: bool = False) -> Callable[[], int]:
    """A function that sums so many float32 among all ranks, in place, as often as asked for.

    Args:
        count: of the numbers.
        repeats: of a run.
        in_background: by MPI_Iallreduce and MPI_Wait, instead of MPI_Allreduce.
    """
    values = np.zeros(count, np.float32)
    world = MPI.COMM_WORLD

    def run() -> int:
        for _ in range(repeats):
            if in_background:
                world.Iallreduce(MPI.IN_PLACE, values).Wait()
            else:
                world.Allreduce(MPI.IN_PLACE, values)
        return repeats

    return run
