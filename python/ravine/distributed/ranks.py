"""The ranks that train one network, as a training sees them."""

from __future__ import annotations

import warnings
from typing import Any

from ravine import _core, distributed
from ravine.distributed.buckets import SIZES, measured_size
from ravine.distributed.cards import Placement, placed
from ravine.distributed.communicator import Communicator, Serial
from ravine.distributed.grid import Grid, grid_of
from ravine.distributed.settings import ParallelSettings
from ravine.errors import InputError, RavineWarning


def loops() -> str:
    """What the loops of this rank's core are compiled for."""
    return {name: detail for name, _, detail in _core.report()}["Loops"]


class Ranks:
    """Which ranks there are, which rows of a batch this one takes, and what the core is told of them.

    Args:
        world: all ranks.
        settings: how they share the work. Collective: what the core talks with is made here.

    Raises:
        InputError: the grid is not made of as many ranks.

    Example:
        >>> ranks = Ranks()
        >>> ranks.size, ranks.rows(32), ranks.native
        (1, (0, 32), None)
    """

    def __init__(self, world: Communicator | None = None, settings: ParallelSettings | None = None) -> None:
        self.world = Serial() if world is None else world
        self.settings = settings or ParallelSettings()
        self.grid: Grid = grid_of(self.settings.data, self.settings.model, self.world.size, self.world.rank)
        self.native: _core.Ranks | None = None
        self._told: dict[str, Any] = {}  # to the core
        self.placement: Placement | None = None  # of ranks on GPUs
        # Whether all compute the same bits: sums of AVX-512 and AVX2 are rounded in another order.
        self.alike = True
        if self.size > 1:
            self._compare("the loops", self.world.gather(loops()))
            # By color: those with the same part of the layers; those with the same rows.
            data = self.world.native(self.grid.model_rank)
            model = self.world.native(self.grid.data_rank)
            self.native = self._native(data, model)
        elif self.settings.deterministic:  # in the parts that several ranks would compute
            self.native = self._native(None, None)

    @property
    def size(self) -> int:
        """How many there are."""
        return self.world.size

    @property
    def leads(self) -> bool:
        """This rank writes the run folder, has the terminal and decides."""
        return self.world.leads

    @property
    def alone(self) -> bool:
        """There is no other rank."""
        return self.size == 1

    @property
    def average_every(self) -> int:
        """Steps between averages of ranks that step alone; 1 where gradients are summed in every step."""
        return 1 if self.grid.data == 1 else self.settings.average_every

    @property
    def measures_passes(self) -> bool:
        """Whether this rank may run passes that the others do not: they are to exchange nothing."""
        return self.leads and self.grid.model == 1 and self.settings.normalization == "rank"

    def rows(self, batch: int) -> tuple[int, int]:
        """Which of the rows of a batch this rank takes: the first, and how many; there may be none."""
        return (0, batch) if self.native is None else self.native.rows(batch)

    def device(self, asked: str) -> str:
        """Where this rank computes: of several, "cuda" is a card for each. Collective.

        What is to carry values from card to card is chosen, and the core told of it.

        Args:
            asked: "cpu", "cuda" or "cuda:N"; the same on all ranks.

        Raises:
            InputError: what is to carry them is not there.

        Example:
            >>> Ranks().device("cuda")
            'cuda'
        """
        if self.alone or not asked.startswith("cuda"):
            return asked
        self.placement = placed(self.world, asked, self.settings)
        self._compare("the card", self.placement.kinds)
        if self.placement.warning and self.leads:
            warnings.warn(self.placement.warning, RavineWarning, stacklevel=2)
        self.native = _core.Ranks(**self._told, backend=self.placement.backend)
        return self.placement.device

    def _compare(self, what: str, kinds: list[str]) -> None:
        """Weights of ranks that round differently drift apart."""
        if len(set(kinds)) == 1:
            return
        self.alike = False
        if self.leads:
            names = self.world.names
            other = next(rank for rank, kind in enumerate(kinds) if kind != kinds[0])
            distributed.notes.append(
                f"{what} of {names[0]}: {kinds[0]}; of {names[other]}: {kinds[other]}; "
                "they round differently, so weights are averaged at the end of each epoch"
            )

    def of_groups(self, values: list[Any]) -> list[Any]:
        """Of what was gathered, the values of the first rank of each data-parallel group."""
        return [values[rank] for rank in self.grid.first_of_groups]

    def _native(self, data: _core.Communicator | None, model: _core.Communicator | None) -> _core.Ranks:
        settings = self.settings
        if settings.bucket_megabytes != "auto":
            size = max(1, round(settings.bucket_megabytes * 1e6))
        else:
            size = SIZES[-1] if data is None else measured_size(self.world, data)
        self._told = {
            "data": data,
            "model": model,
            "synchronized_normalization": settings.normalization == "synchronized",
            "bucket_bytes": size,
            "transport": settings.transport,
            "overlap": settings.overlap,
            "deterministic_parts": settings.deterministic_parts if settings.deterministic else 0,
            "average_every": self.average_every,
            "split": None if settings.split == "auto" else settings.split,
        }
        try:
            return _core.Ranks(**self._told)
        except InputError as error:
            raise InputError(error.message, key=f"parallel.{error.key}") from None
