"""How large the slices are in which gradients are summed, where that is to be measured."""

from __future__ import annotations

import time

import numpy as np

from ravine import _core
from ravine.distributed.communicator import Communicator

SIZES = tuple(size * 10**6 for size in (1, 2, 4, 8, 16, 32, 64))
REPEATS = 3
NEARLY = 1.1  # of the least time a byte: smaller slices can be summed while more is left to be computed


def measured_size(world: Communicator, data: _core.Communicator) -> int:
    """The smallest size whose sum takes nearly as little time a byte as that of any other. Collective.

    The time of a sum is a latency and a part in proportion to its bytes: small slices pay the first again and
    again, and large ones wait longer for their last gradient. Takes about a second between machines.

    Args:
        world: all ranks; rank 0 decides.
        data: the ranks whose gradients are summed.

    Returns:
        Bytes.
    """
    seconds = {size: _shortest(data, np.zeros(size // 4, np.float32)) / size for size in SIZES}
    least = min(seconds.values())
    chosen: int = world.broadcast(next(size for size in SIZES if seconds[size] <= NEARLY * least))
    return chosen


def _shortest(data: _core.Communicator, values: np.ndarray) -> float:
    shortest = np.inf
    for _ in range(1 + REPEATS):  # the first time memory is new
        start = time.perf_counter()
        data.sum(values)
        shortest = min(shortest, time.perf_counter() - start)
    return shortest
