"""Slices of a split that ranks measure in turns, merged in their order: the numbers are those of one rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ravine.distributed.ranks import Ranks

Measured = TypeVar("Measured")


def in_turns(
    slices: int,
    measure: Callable[[int], Measured],
    between: Callable[[], bool] | None = None,
    ranks: Ranks | None = None,
) -> list[Measured] | None:
    """What `measure` gives for each slice, in order; None where it was given up.

    Of n data-parallel groups of ranks, each measures every n-th slice; those of a group measure the same
    ones.

    Args:
        slices: how many there are.
        measure: given the number of a slice; where there are ranks, its result must be of what they can tell
            each other (see `Communicator.gather`).
        between: called between slices, equally often on all ranks; True gives up.
        ranks: that share the work; None: this process alone.

    Example:
        >>> in_turns(3, lambda number: number**2)
        [0, 1, 4]
    """
    groups, group = (1, 0) if ranks is None else (ranks.grid.data, ranks.grid.data_rank)
    mine: list[Measured] = []
    for first in range(0, slices, groups):
        if first and between is not None and between():
            return None
        if first + group < slices:
            mine.append(measure(first + group))
    if ranks is None or ranks.alone:
        return mine
    found = ranks.of_groups(ranks.world.gather(mine))
    return [found[number % groups][number // groups] for number in range(slices)]
