"""All points of what a plot shows, not only those that fit on a screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ravine.errors import RunError
from ravine.gui.state.curves import Source, View
from ravine.gui.state.heat import divided, layer_columns
from ravine.gui.state.panels import HeatQuery
from ravine.gui.state.tail import READ_ROWS, RunTail, XAxis
from ravine.runs import RunReader


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
    """Reads all that a query is about, also what the app does not keep.

    Raises:
        RunError: a record cannot be read.
    """
    found = []
    for run in query.runs:
        tail = RunTail(run)
        try:
            tail.refresh(0.0)  # the columns, and what was evaluated
            if tail.problem:
                raise RunError(tail.problem, file=run)
            with RunReader(run) as reader:
                found += _series(reader, tail, query)
        finally:
            tail.close()
    return found


def _series(reader: RunReader, tail: RunTail, query: SourcesQuery | HeatQuery) -> list[Series]:
    axis, run = query.view.x_axis, tail.path.name
    if isinstance(query, HeatQuery):
        layers, above, below = layer_columns(tail, query.statistic)
        places, values = _columns(reader, tail, [*above, *below])
        rows = values if not below else divided(values[: len(above)], values[len(above) :])
        x = _on_axis(places, axis, tail.samples_per_epoch)
        return [Series(run, layer, x, row) for layer, row in zip(layers, rows, strict=True)]
    sources = query.sources(tail)
    names = [source.name for source in sources if source.name in tail.columns]
    places, values = _columns(reader, tail, names)
    x = _on_axis(places, axis, tail.samples_per_epoch)
    evaluations = reader.evaluations()
    found = []
    for source in sources:
        if source.name in names:
            found.append(Series(run, source.label, x, values[names.index(source.name)]))
        elif source.evaluated:
            split, _, metric = source.name.partition(":")
            there = [one for one in evaluations if one.split == split and metric in one.metrics]
            steps = np.array([one.step for one in there], np.float64)
            seconds = np.interp(steps, places[0], places[2]) if places.shape[1] else steps
            at = np.stack([steps, np.array([one.epoch for one in there], np.float64), seconds])
            y = np.array([one.metrics[metric] for one in there], np.float64)
            found.append(Series(run, source.label, _on_axis(at, axis, tail.samples_per_epoch), y))
    return found


def _columns(
    reader: RunReader, tail: RunTail, names: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Step, epoch and seconds [3, n] of all recorded steps, and values [names, n]."""
    numbers = [tail.number(name) for name in names]
    places, values, last = [np.empty((3, 0))], [np.empty((len(names), 0), np.float32)], -1
    while len((rows := reader.tail(last, READ_ROWS)).steps):
        places.append(np.stack([rows.steps.astype(np.float64), rows.epochs, rows.seconds]))
        values.append(rows.values.T[numbers])
        last = int(rows.steps[-1])
    return np.concatenate(places, axis=1), np.concatenate(values, axis=1)


def _on_axis(places: NDArray[np.float64], axis: XAxis, samples_per_epoch: int) -> NDArray[np.float64]:
    row = {"step": 0, "epoch": 1, "samples": 1, "seconds": 2}[axis]
    x: NDArray[np.float64] = places[row] * (samples_per_epoch if axis == "samples" else 1)
    return x
