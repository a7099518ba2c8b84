"""What plots show of runs: from records to decimated curves, ready to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.decimation import Columns, decimate, pixel_columns, ticks_of
from ravine.gui.state.smoothing import Smoothing
from ravine.gui.state.tail import RunTail, XAxis

PARTS = ("validation", "test")
MOST_POINTS = 60  # of a curve that are marked each
Array = NDArray[np.float64]
DEFAULT = Smoothing()
NOTED = {"set": "edit", "settings": "settings", "schedule": "schedule", "early_stopping": "best weights"}


@dataclass(frozen=True)
class Source:
    """One curve of a run.

    Args:
        run: the run folder.
        name: a column, or "validation:loss" for a metric of evaluations.
        label: how it is called beside the plot.
    """

    run: Path
    name: str
    label: str

    @property
    def evaluated(self) -> bool:
        """Whether it comes from evaluations and not from recorded steps."""
        return ":" in self.name


@dataclass(frozen=True)
class View:
    """How curves are looked at.

    Args:
        x_axis: what stands on it.
        log_x, log_y: logarithmic axes; values that are not positive are left out and counted.
        limits: of x in display coordinates (logarithms on a logarithmic axis); None for all.
        width: pixel columns.
        smoothing: of recorded steps.
    """

    x_axis: XAxis = "step"
    log_x: bool = False
    log_y: bool = False
    limits: tuple[float, float] | None = None
    width: int = 400
    smoothing: Smoothing = DEFAULT


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve as it is drawn, in display coordinates; `raw_x` and `raw_y` are what was smoothed, or empty.

    `points` asks for a mark at each point, `last` is the newest value, as recorded.
    """

    source: Source
    x: Array
    y: Array
    raw_x: Array
    raw_y: Array
    points: bool
    last: float


@dataclass(frozen=True)
class Mark:
    """Something that happened: a place on the x axis, and what."""

    x: float
    text: str


@dataclass(frozen=True, eq=False)
class Picture:
    """All that a plot draws.

    Args:
        curves: in the order of their sources.
        not_finite: places on the x axis where a value is NaN or infinite.
        marks: edits and other events.
        hidden: values that a logarithmic axis cannot show.
        x_range, y_range: in display coordinates; None where there is nothing.
        title: of the plot.
    """

    curves: tuple[Curve, ...]
    not_finite: Array
    marks: tuple[Mark, ...] = ()
    hidden: int = 0
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    title: str = ""


def scaled(values: NDArray[np.floating], logarithmic: bool) -> Array:
    """Values in display coordinates; NaN where a logarithmic axis has no place for them."""
    numbers: Array = np.asarray(values, np.float64)
    if not logarithmic:
        return numbers
    logarithms: Array = np.log10(numbers, out=np.full(len(numbers), np.nan), where=numbers > 0)
    return logarithms


def picture(tails: dict[Path, RunTail], sources: Sequence[Source], view: View, title: str = "") -> Picture:
    """Draws up the curves of some runs.

    Args:
        tails: of the runs that the sources name.
        sources: curves; those that a run does not have are left out.
        view: how they are looked at.
        title: goes with the picture.

    The y range is that of the smoothed curves where they are smoothed: single outliers of the raw values do
    not flatten them.
    """
    known = [source for source in sources if _has(tails, source)]
    records = [record(tails[source.run], source, view) for source in known]
    x_limits = extent([_ends(tails[source.run], source, view) for source in known])
    low, high = view.limits or x_limits or (0.0, 1.0)
    curves, ticks, y_limits, hidden = [], [], [], 0
    for source, one in zip(known, records, strict=True):
        columns = pixel_columns(one.x, low, high, view.width, view.log_x)
        if one.broken.any():
            places = scaled(one.x[one.broken], view.log_x)
            ticks.append(ticks_of(places, low, high, view.width))
        if view.log_y:
            hidden += one.not_positive
        if one.high is one.y:
            line = raw = _drawn(one.x, one.y, columns, view)
        else:  # groups: from their smallest to their largest value
            twice = np.stack([one.low, one.high], axis=1).reshape(-1)
            of_both = Columns(2 * columns.begins, 2 * columns.end, columns.numbers)
            line = raw = _drawn(np.repeat(one.x, 2), twice, of_both, view)
        if one.smooth is not None:
            line = _drawn(one.x, one.smooth, columns, view)
            if len(raw[1]):
                y_limits.append(np.percentile(raw[1], [2, 98]))
        else:
            raw = (np.empty(0), np.empty(0))
        y_limits.append(line[1])
        points = source.evaluated and len(line[0]) <= MOST_POINTS
        curves.append(Curve(source, *line, *raw, points, one.last))
    runs = dict.fromkeys(source.run for source in known)
    single = tails[next(iter(runs))] if len(runs) == 1 else None
    return Picture(
        tuple(curves),
        np.unique(np.concatenate(ticks)) if ticks else np.empty(0),
        tuple(_marks(single, view)) if single is not None else (),
        hidden,
        (low, high) if view.limits else x_limits,
        extent(y_limits),
        title,
    )


class Record(NamedTuple):
    """A curve as it is kept.

    Args:
        x: [n].
        y: [n]; means where records are kept in groups.
        low, high: [n]; `y` itself where each record stands alone.
        broken: [n] where a value is not finite.
        smooth: [n]; None where it is not smoothed.
        not_positive: values that a logarithmic axis cannot show.
        last: the newest value.
    """

    x: Array
    y: NDArray[np.floating]
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    broken: NDArray[np.bool_]
    smooth: NDArray[np.floating] | None
    not_positive: int
    last: float


def record(tail: RunTail, source: Source, view: View) -> Record:
    """What is known of a curve, as closely as the view needs it."""
    if source.evaluated:
        split, _, metric = source.name.partition(":")
        x, values = tail.evaluated(split, metric, view.x_axis)
        finite = np.isfinite(values)
        last = float(values[-1]) if len(values) else float("nan")
        below = int(np.count_nonzero(values[finite] <= 0))
        return Record(x, values, values, values, ~finite, None, below, last)
    kept, number = tail.closely(view.x_axis, view.limits, view.log_x, view.width), tail.number(source.name)
    smooth = kept.smoothed(number, view.smoothing) if view.smoothing.active else None
    y = kept.mean(number)
    low, high = (y, y) if kept.exact else (kept.low(number), kept.high(number))
    return Record(
        tail.x(view.x_axis, kept), y, low, high, kept.broken(number), smooth,
        int(tail.records.not_positive[number]), float(tail.records.last[number]),
    )  # fmt: skip


def _drawn(x: Array, y: NDArray[np.floating], columns: Columns, view: View) -> tuple[Array, Array]:
    if view.log_y:
        y = np.where(y > 0, y, np.nan)
    drawn_x, drawn_y = decimate(x, y, columns)
    drawn_x, drawn_y = scaled(drawn_x, view.log_x), scaled(drawn_y, view.log_y)
    there = np.isfinite(drawn_x)
    return drawn_x[there], drawn_y[there]


def _ends(tail: RunTail, source: Source, view: View) -> Array:
    """First and last place of a curve that an axis can show, in display coordinates."""
    if source.evaluated:
        split, _, metric = source.name.partition(":")
        x = tail.evaluated(split, metric, view.x_axis)[0]
    else:
        x = tail.x(view.x_axis)
    if view.log_x:
        x = x[np.searchsorted(x, 0.0, "right") :]
    return scaled(x[[0, -1]], view.log_x) if len(x) else np.empty(0)


def _has(tails: dict[Path, RunTail], source: Source) -> bool:
    tail = tails.get(source.run)
    if tail is None or tail.state is None:
        return False
    return source.evaluated or source.name in tail.columns


def extent(parts: Sequence[Array]) -> tuple[float, float] | None:
    """Smallest and largest finite value of some arrays; None where there is none."""
    lows = [float(np.fmin.reduce(part)) for part in parts if len(part)]
    highs = [float(np.fmax.reduce(part)) for part in parts if len(part)]
    lows = [low for low in lows if np.isfinite(low)]
    highs = [high for high in highs if np.isfinite(high)]
    return (min(lows), max(highs)) if lows and highs else None


def _marks(tail: RunTail, view: View) -> list[Mark]:
    """Edits and other events on the x axis."""
    if len(tail) == 0:
        return []
    events = [event for event in tail.events if event.kind in NOTED]
    steps = tail.records.places(0)
    places = np.searchsorted(steps, [event.step for event in events])
    x = tail.x(view.x_axis)
    marks = []
    for event, place in zip(events, places.tolist(), strict=True):
        at = float(x[min(place, len(x) - 1)])
        if not view.log_x or at > 0:
            marks.append(
                Mark(float(np.log10(at)) if view.log_x else at, _event_text(event.kind, event.payload))
            )
    if tail.state is not None and tail.state.state == "crashed" and (not view.log_x or x[-1] > 0):
        marks.append(Mark(float(np.log10(x[-1])) if view.log_x else float(x[-1]), "crashed"))
    return marks


def _event_text(kind: str, payload: dict[str, object]) -> str:
    name, value = payload.get("name"), payload.get("value")
    if isinstance(name, str) and isinstance(value, (int, float)):
        return f"{name} = {value:.4g}"
    if kind == "settings" and isinstance(payload.get("set"), list):
        return ", ".join(str(one) for one in payload["set"])  # type: ignore[attr-defined]
    return NOTED.get(kind, kind)


def loss_sources(run: Path, tail: RunTail) -> list[Source]:
    """Loss of the batches, and of what is evaluated."""
    return _with_parts(run, tail, "loss", "loss" if "loss" in tail.columns else "train:loss")


def metric_name(tail: RunTail) -> str:
    """The task's metric beside the loss; the learning rate where there is none."""
    if "accuracy" in tail.columns:
        return "accuracy"
    names = {name for _, name in tail.evaluations.names} - {"loss"}
    return min(names) if names else "learning_rate"


def metric_sources(run: Path, tail: RunTail) -> list[Source]:
    """The task's metric in the batches, and in what is evaluated."""
    name = metric_name(tail)
    return _with_parts(run, tail, name, name if name in tail.columns else f"train:{name}")


def _with_parts(run: Path, tail: RunTail, metric: str, train: str) -> list[Source]:
    there = {split for split, name in tail.evaluations.names if name == metric}
    return [
        Source(run, train, "train"),
        *(Source(run, f"{part}:{metric}", part) for part in PARTS if part in there),
    ]


def layer_sources(run: Path, tail: RunTail, statistic: str) -> list[Source]:
    """A statistic of every layer, in the order of the network."""
    return [Source(run, column, layer) for layer, column in tail.layers(statistic).items()]
