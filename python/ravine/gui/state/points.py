"""All points of what a plot shows, not only those that fit on a screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravine.errors import RunError
from ravine.gui.state.curves import Source, View, record
from ravine.gui.state.heat import layer_values
from ravine.gui.state.panels import HeatQuery
from ravine.gui.state.tail import RunTail


class SourcesQuery(Protocol):
    """A query that says which curves it shows of a run."""

    view: View

    @property
    def runs(self) -> tuple[Path, ...]: ...

    def sources(self, tail: RunTail) -> list[Source]: ...


@dataclass(frozen=True, eq=False)
class Series:
    """A curve in full: x [n] and y [n], as recorded."""

    run: str
    label: str
    x: NDArray[np.float64]
    y: NDArray[np.floating]


def series_of(query: SourcesQuery | HeatQuery) -> list[Series]:
    """Reads all that a query is about.

    Raises:
        RunError: a record cannot be read.
    """
    tails = {run: RunTail(run) for run in query.runs}
    found = []
    try:
        for run, tail in tails.items():
            while tail.refresh(1.0):
                pass
            if tail.problem:
                raise RunError(tail.problem, file=run)
            if isinstance(query, HeatQuery):
                names, values = layer_values(tail, query.statistic)
                x = tail.x(query.view.x_axis).copy()
                found += [Series(run.name, name, x, row) for name, row in zip(names, values, strict=True)]
                continue
            for source in query.sources(tail):
                if source.evaluated or source.name in tail.columns:
                    x, y, _ = record(tail, source, query.view)
                    found.append(Series(run.name, source.label, x.copy(), y.copy()))
    finally:
        for tail in tails.values():
            tail.close()
    return found
