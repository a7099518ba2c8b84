"""The question of the Ranks tab: what each rank does, and which of them the others wait for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.curves import View
from ravine.gui.state.heat import HeatPicture, Rows, coloured
from ravine.gui.state.tail import RunTail
from ravine.runs.rank_times import straggler, summarize

HEADS = ("rank", "host", "compute", "wait", "communicate", "overlapped", "share")


@dataclass(frozen=True, eq=False)
class RanksPicture:
    """What the Ranks tab shows.

    Args:
        rows: of the table, in the order of `HEADS`: means of a step, and the share of it that is computing.
        slowest: the rank that costs over 20 % of a step, or None.
        text: the same in words.
        wait: seconds that each rank waited, by step.
    """

    rows: tuple[tuple[str, ...], ...]
    slowest: int | None
    text: str
    wait: HeatPicture


@dataclass(frozen=True, eq=False)
class RanksQuery:
    """Asks what the ranks of a run did; `table` [256, 3] are the colours of the heat map."""

    run: Path
    view: View
    table: NDArray[np.uint8]

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RanksQuery)
            and (self.run, self.view) == (other.run, other.view)
            and self.table is other.table
        )

    def __hash__(self) -> int:
        return hash((self.run, self.view))

    def answer(self, tails: dict[Path, RunTail]) -> RanksPicture:
        tail = tails[self.run]
        found = tail.ranks()
        ranks, slowest = summarize(found.means), straggler(found.means)
        hosts = [*tail.hosts, *["?"] * found.count]
        rows = tuple(
            (
                str(one.rank), hosts[one.rank],
                *map(milliseconds, (one.compute, one.wait, one.communicate, one.overlapped)),
                f"{100 * one.share:.0f} %",
            )
            for one in ranks
        )  # fmt: skip
        text = f"Means of a step, over {found.wait.count:,} recorded steps."
        if not rows:
            rows = tuple((str(rank), host, *["-"] * 5) for rank, host in enumerate(tail.hosts))
            text = "Nothing was recorded yet of what the ranks do."
        if slowest is not None:
            said = slowest.text(hosts[slowest.rank])
            text = f"{said[0].upper()}{said[1:]}. {text}"
        names, columns = tuple(f"rank {rank}" for rank in range(found.count)), range(found.count)
        x = tail.steps_x(self.view.x_axis, found.wait.places(0))
        wait = coloured(
            Rows(names, x, lambda rows: (found.wait.means(columns, rows), found.wait.brokens(columns, rows))),
            None, self.view, self.table, logarithmic=False,
        )  # fmt: skip
        return RanksPicture(rows, None if slowest is None else slowest.rank, text, wait)


def milliseconds(seconds: float) -> str:
    """A time of a step.

    Example:
        >>> milliseconds(0.01234), milliseconds(2.5)
        ('12.3 ms', '2.5 s')
    """
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
