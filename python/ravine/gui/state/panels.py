"""The questions that the tabs ask about runs, and which of their curves answer them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.curves import (
    Picture,
    Source,
    View,
    layer_sources,
    loss_sources,
    metric_name,
    metric_sources,
    picture,
)
from ravine.gui.state.heat import HeatPicture, heat_picture
from ravine.gui.state.tail import RunTail

TITLES = {
    "loss": "Loss",
    "gradient_norm": "Gradient norm",
    "activation_variance": "Activation variance",
}
_SOURCES: dict[str, Callable[[Path, RunTail], list[Source]]] = {
    "loss": loss_sources,
    "metric": metric_sources,
}


@dataclass(frozen=True)
class CurvesQuery:
    """Curves of one run: of a panel ("loss", "metric"), or a statistic of its layers."""

    run: Path
    panel: str
    view: View

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def answer(self, tails: dict[Path, RunTail]) -> Picture:
        tail = tails[self.run]
        title = TITLES.get(self.panel, "")
        if self.panel == "metric":
            title = metric_name(tail).replace("_", " ").capitalize()
        return picture(tails, self.sources(tail), self.view, title)

    def sources(self, tail: RunTail) -> list[Source]:
        """The curves, with their columns."""
        if self.panel in _SOURCES:
            return _SOURCES[self.panel](self.run, tail)
        return layer_sources(self.run, tail, self.panel)


@dataclass(frozen=True, eq=False)
class HeatQuery:
    """A statistic of all layers of a run as a heat map; `table` [256, 3] are its colours."""

    run: Path
    statistic: str
    view: View
    table: NDArray[np.uint8]

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, HeatQuery)
            and (self.run, self.statistic, self.view) == (other.run, other.statistic, other.view)
            and self.table is other.table
        )

    def __hash__(self) -> int:
        return hash((self.run, self.statistic, self.view))

    def answer(self, tails: dict[Path, RunTail]) -> HeatPicture:
        return heat_picture(tails[self.run], self.statistic, self.view, self.table)
