"""Ranks as a grid: data-parallel groups, and within each the ranks that hold parts of its layers."""

from __future__ import annotations

from dataclasses import dataclass

from ravine.errors import InputError


@dataclass(frozen=True)
class Grid:
    """A rank's place among data x model ranks. Those of a model group follow each other, most often on one
    host.

    Args:
        data: groups that have rows of their own of every batch.
        model: ranks of each group.
        rank: this one.

    Example:
        >>> grid = Grid(data=2, model=2, rank=3)
        >>> grid.data_rank, grid.model_rank, grid.first_of_groups
        (1, 1, [0, 2])
    """

    data: int = 1
    model: int = 1
    rank: int = 0

    @property
    def data_rank(self) -> int:
        """Which group: whose rows of a batch."""
        return self.rank // self.model

    @property
    def model_rank(self) -> int:
        """Which rank of its group: whose part of the layers."""
        return self.rank % self.model

    @property
    def first_of_groups(self) -> list[int]:
        """The first rank of each group."""
        return list(range(0, self.data * self.model, self.model))

    def __str__(self) -> str:
        return f"{self.data} x {self.model} (data x model)"


def grid_of(data: int, model: int, size: int, rank: int) -> Grid:
    """The grid that settings ask for; one rank alone is no grid, whatever they say.

    Args:
        data: groups; 0: as many as there are ranks for.
        model: ranks of a group.
        size, rank: how many ranks there are, and which one this is.

    Raises:
        InputError: there are not as many ranks.

    Example:
        >>> grid_of(0, 2, size=6, rank=5)
        Grid(data=3, model=2, rank=5)
    """
    if size == 1:
        return Grid()
    if data == 0 and size % model:
        raise InputError(
            f"is {model}, which does not divide {size} ranks into groups of equal size; start a multiple of "
            f"{model} ranks",
            key="parallel.model",
        )
    groups = data or size // model
    if groups * model != size:
        raise InputError(
            f"is {data}, and with model = {model} that makes {groups * model} ranks, but there are {size}; "
            f"start {groups * model}, or set data = 0 for as many groups as there are ranks for",
            key="parallel.data",
        )
    return Grid(groups, model, rank)
