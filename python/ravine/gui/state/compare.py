"""Runs side by side: which settings differ, and groups of runs that differ by their seed alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ravine.gui.state.curves import Array, Curve, Picture, Source, View, extent, picture, record, scaled
from ravine.gui.state.draft import differences
from ravine.gui.state.run_list import metric_figure, metric_of, run_table
from ravine.gui.state.tail import RunTail
from ravine.runs import RunSummary
from ravine.settings import Table

OWN = ("name", "seed")  # settings that runs of one group may have otherwise
POINTS = 400


@dataclass(frozen=True)
class Group:
    """Runs with the same settings but for the seed.

    Args:
        label: what tells it from the other groups.
        runs: in it.
    """

    label: str
    runs: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the Compare tab shows.

    Args:
        picture: the curves, one a run or one a group.
        bands: for each curve of a group, x, mean - deviation and mean + deviation in display coordinates.
        groups: of the runs.
        settings: names of what differs, and the value of each run.
        choices: names of what can be compared.
    """

    picture: Picture
    bands: tuple[tuple[Array, Array, Array], ...]
    groups: tuple[Group, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    choices: tuple[str, ...]


def settings_of(
    runs: tuple[Path, ...], known: Mapping[Path, Table] | None = None
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The settings in which some runs differ, with the value of each; `known` are tables that were read."""
    tables = [(known[run] if known is not None else run_table(run)) or {} for run in runs]
    keys: dict[str, None] = {}
    for table in tables[1:]:
        keys |= {key: None for key, _, _ in differences(tables[0], table)}
    return tuple((key, tuple(_shown(_value(table, key)) for table in tables)) for key in keys)


def groups_of(runs: tuple[Path, ...], known: Mapping[Path, Table] | None = None) -> tuple[Group, ...]:
    """Runs that differ in name and seed alone belong together, in the order of the runs.

    Args:
        runs: their folders.
        known: settings that were read already.
    """
    tables = known if known is not None else {run: run_table(run) or {} for run in runs}
    found: dict[str, list[Path]] = {}
    for run in runs:
        others = {key: value for key, value in tables[run].items() if key not in OWN}
        found.setdefault(json.dumps(others, sort_keys=True, default=str), []).append(run)
    groups = list(found.values())
    heads = tuple(group[0] for group in groups)
    labels = _labels([tables[head] for head in heads], [group[0].name for group in groups])
    return tuple(Group(label, tuple(group)) for label, group in zip(labels, groups, strict=True))


def _labels(tables: list[Table], names: list[str]) -> list[str]:
    """What tells groups apart: the fewest settings that do, at most three; names where nothing does."""
    keys: dict[str, None] = {}
    for table in tables[1:]:
        keys |= {key: None for key, _, _ in differences(tables[0], table) if key not in OWN}
    texts = {key: [_brief(_value(table, key)) for table in tables] for key in keys}
    labels: list[tuple[str, ...]] = [()] * len(tables)
    while len(labels[0]) < 3 and len({*labels}) < len(tables):
        distinct = {key: len({*zip(labels, values, strict=True)}) for key, values in texts.items()}
        best = max(distinct, key=distinct.__getitem__, default="")
        if not best or distinct[best] == len({*labels}):
            break
        name = best.rpartition(".")[2]
        labels = [(*label, f"{name} {text}") for label, text in zip(labels, texts.pop(best), strict=True)]
    return [", ".join(label) or name for label, name in zip(labels, names, strict=True)]


def _brief(value: Any) -> str:
    """A value in a word or two: of lists of layers how many there are."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return f"({len(value)})"
    return str(value.get("type", "-")) if isinstance(value, dict) else _shown(value)


class Grouping:
    """Groups all runs of a folder again and again at little cost. For one thread."""

    def __init__(self) -> None:
        self._tables: dict[Path, tuple[int, Table]] = {}

    def of(self, runs: list[RunSummary]) -> tuple[tuple[Group, str], ...]:
        """The groups, each with the mean of its runs' results and the deviation."""
        tables = {}
        for run in runs:
            try:
                stamp = (run.path / "experiment.toml").stat().st_mtime_ns
            except OSError:
                stamp = 0
            known = self._tables.get(run.path)
            tables[run.path] = known if known and known[0] == stamp else (stamp, run_table(run.path) or {})
        self._tables = tables
        summaries = {run.path: run for run in runs}
        found = groups_of(tuple(summaries), {path: table for path, (_, table) in tables.items()})
        return tuple((group, result_text([summaries[path] for path in group.runs])) for group in found)


def result_text(runs: list[RunSummary]) -> str:
    """Mean and standard deviation of what tells runs apart at a glance: "0.9612 ± 0.0031".

    Example:
        >>> result_text([])
        ''
    """
    metrics = [found for run in runs if (found := metric_of(run)) is not None]
    names = {name for name, _ in metrics}
    if len(names) != 1:  # results of different kinds have no mean
        return ""
    values = np.array([value for _, value in metrics])
    mean = metric_figure(float(values.mean()))
    return f"{mean} ± {metric_figure(float(values.std(ddof=1)))}" if len(values) > 1 else mean


def _value(table: Table, key: str) -> Any:
    place: Any = table
    for part in key.split("."):
        place = place.get(part) if isinstance(place, dict) else None
    return place


def _shown(value: Any) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class CompareQuery:
    """Asks for one quantity of several runs: a column, or "validation:loss".

    Args:
        runs: in the order in which they were chosen.
        name: of the quantity.
        view: how it is looked at.
        grouped: one curve a group, mean and deviation over its runs.
    """

    runs: tuple[Path, ...]
    name: str
    view: View
    grouped: bool = False

    def answer(self, tails: dict[Path, RunTail]) -> Comparison:
        groups, bands = groups_of(self.runs), []
        sources = [source for run in self.runs for source in self.sources(tails[run])]
        if self.grouped:
            curves = []
            for group in groups:
                curve, band = self._mean(group, tails)
                curves.append(curve)
                bands.append(band)
            drawn = Picture(
                tuple(curves), np.empty(0), (), 0, self.view.limits or extent([one.x for one in curves]),
                extent([part for _, low, high in bands for part in (low, high)]),
            )  # fmt: skip
        else:
            drawn = picture(tails, sources, self.view)
        return Comparison(drawn, tuple(bands), groups, settings_of(self.runs), self._choices(tails))

    def sources(self, tail: RunTail) -> list[Source]:
        """The curve of one run."""
        return [Source(tail.path, self.name, tail.path.name)]

    def _choices(self, tails: dict[Path, RunTail]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for run in self.runs:
            names |= {f"{split}:{metric}": None for split, metric in tails[run].evaluations.names}
        for run in self.runs:
            names |= {column: None for column in tails[run].columns if "." not in column}
        return tuple(names)

    def _mean(self, group: Group, tails: dict[Path, RunTail]) -> tuple[Curve, tuple[Array, Array, Array]]:
        """Mean and deviation over the runs of a group, where all of them have got to."""
        records = []
        for run in group.runs:
            source = self.sources(tails[run])[0]
            if source.evaluated or self.name in tails[run].columns:
                found = record(tails[run], source, self.view)
                y = np.asarray(found.y if found.smooth is None else found.smooth, np.float64)
                there = np.isfinite(y)
                if there.any():
                    records.append((found.x[there], y[there]))
        label = f"{group.label} ({len(group.runs)})"
        source = Source(group.runs[0], self.name, label)
        empty = np.empty(0)
        if not records:
            return Curve(source, empty, empty, empty, empty, False, float("nan")), (empty, empty, empty)
        low, high = max(x[0] for x, _ in records), min(x[-1] for x, _ in records)
        x = np.linspace(low, high, POINTS) if high > low else np.array([low])
        values = np.array([np.interp(x, *one) for one in records])
        mean = values.mean(0)
        deviation = values.std(0, ddof=1) if len(values) > 1 else np.zeros(len(x))
        place, log = scaled(x, self.view.log_x), self.view.log_y
        line = Curve(source, place, scaled(mean, log), empty, empty, False, float(mean[-1]))
        below, above = scaled(mean - deviation, log), scaled(mean + deviation, log)
        below = np.where(np.isfinite(below), below, line.y)
        return line, (place, below, above)
