"""Layers by steps: one value of every layer, as the colours of a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.curves import View
from ravine.gui.state.decimation import column_means, pixel_columns
from ravine.gui.state.records import Records
from ravine.gui.state.tail import RunTail

NOT_FINITE = (214, 39, 40, 255)
STATISTICS = {  # a name, and how it is called
    "gradient_norm": "Gradient norm",
    "activation_mean": "Activation mean",
    "activation_variance": "Activation variance",
    "activation_zeros": "Zeros among activations (dead units)",
    "update_ratio": "Update to weight ratio",
    "weight_norm": "Weight norm",
    "update_norm": "Update norm",
}
LINEAR = {"activation_mean", "activation_zeros"}


@dataclass(frozen=True, eq=False)
class HeatPicture:
    """A heat map as it is drawn.

    Args:
        layers: rows, the first layer first.
        colours: [layers, columns, 4] uint8; clear where nothing was recorded, red where a value is NaN or
            infinite.
        values: [layers, columns]; means of the steps of a column.
        x_range: in display coordinates.
        levels: smallest and largest value of the colours, logarithms where `logarithmic`.
        logarithmic: the colours.
    """

    layers: tuple[str, ...]
    colours: NDArray[np.uint8]
    values: NDArray[np.float64]
    x_range: tuple[float, float] | None
    levels: tuple[float, float]
    logarithmic: bool


def statistics_of(tail: RunTail) -> list[str]:
    """The statistics that a run has, by name."""
    there = [name for name in STATISTICS if name != "update_ratio" and tail.layers(name)]
    if "update_norm" in there and "weight_norm" in there:
        there.append("update_ratio")
    return [name for name in STATISTICS if name in there]


def layer_columns(tail: RunTail, statistic: str) -> tuple[tuple[str, ...], list[str], list[str]]:
    """The layers that have a statistic, their columns, and those that these are divided by, if any."""
    if statistic != "update_ratio":
        columns = tail.layers(statistic)
        return tuple(columns), list(columns.values()), []
    updates, weights = tail.layers("update_norm"), tail.layers("weight_norm")
    names = [layer for layer in updates if layer in weights]
    return tuple(names), [updates[name] for name in names], [weights[name] for name in names]


def divided(above: NDArray[np.floating], below: NDArray[np.floating]) -> NDArray[np.float64]:
    """A ratio of columns; NaN where there is none."""
    found: NDArray[np.float64] = np.divide(
        above, below, out=np.full(above.shape, np.nan), where=below > 0, dtype=np.float64
    )
    return found


def heat_picture(tail: RunTail, statistic: str, view: View, table: NDArray[np.uint8]) -> HeatPicture:
    """Draws up a statistic of all layers.

    Args:
        tail: of the run.
        statistic: a key of `STATISTICS`.
        view: the x axis of the picture.
        table: [256, 3] colours from the smallest value to the largest.
    """
    names, above, below = layer_columns(tail, statistic)
    records = tail.closely(view.x_axis, view.limits, view.log_x, view.width)
    rows = Rows(names, tail.x(view.x_axis, records), lambda rows: _read(tail, records, above, below, rows))
    return coloured(rows, _whole(tail.x(view.x_axis), view), view, table, logarithmic=statistic not in LINEAR)


class Rows(NamedTuple):
    """Rows of a heat map.

    Args:
        names: of the rows.
        x: [n] places of what was recorded, never falling.
        read: from a slice of these places to values [rows, m], and to where one is not finite.
    """

    names: tuple[str, ...]
    x: NDArray[np.float64]
    read: Callable[[slice], tuple[NDArray[np.floating], NDArray[np.bool_]]]


def coloured(
    rows: Rows, whole: tuple[float, float] | None, view: View, table: NDArray[np.uint8], *, logarithmic: bool
) -> HeatPicture:
    """Draws up rows of values.

    Args:
        rows: what was recorded.
        whole: ends of the x axis in display coordinates, where the view shows all; None: of these rows.
        view: the x axis of the picture.
        table: [256, 3] colours from the smallest value to the largest.
        logarithmic: the colours.
    """
    names, x = rows.names, rows.x
    empty = np.zeros((len(names), 1, 4), np.uint8)
    if len(x) == 0 or not names:
        return HeatPicture(names, empty, np.empty((len(names), 0)), None, (0.0, 1.0), logarithmic)
    low, high = view.limits or whole or _whole(x, view) or (0.0, 1.0)
    if high <= low:
        high = low + 1.0
    found = pixel_columns(x, low, high, view.width, view.log_x)
    inside = (found.numbers >= 0) & (found.numbers <= view.width)
    there = slice(int(found.begins[0]) if len(found.begins) else 0, found.end)
    values, bad = rows.read(there)
    means = column_means(values, bad, found)[:, inside]
    broken = np.logical_or.reduceat(bad, found.begins - there.start, axis=1)[:, inside]
    places = np.minimum(found.numbers[inside], view.width - 1)
    shown = np.where(means > 0, means, np.nan)
    shown = np.log10(shown) if logarithmic else means
    finite = shown[np.isfinite(shown)]
    levels = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    span = max(levels[1] - levels[0], 1e-12)
    scaled = np.nan_to_num((shown - levels[0]) / span, nan=0.0)
    colours = np.zeros((len(names), view.width, 4), np.uint8)
    picture = np.empty((*shown.shape, 4), np.uint8)
    picture[..., :3] = table[np.clip(scaled * 255.0 + 0.5, 0, 255).astype(np.uint8)]
    picture[..., 3] = np.where(np.isfinite(shown), 255, 0)
    picture[broken] = NOT_FINITE
    # A column without a record shows the one before it: steps may be fewer than pixels.
    if len(places):
        filled = np.searchsorted(places, np.arange(view.width), "right") - 1
        known = filled >= 0
        colours[:, known] = picture[:, filled[known]]
        columns = np.full((len(names), view.width), np.nan)
        columns[:, known] = means[:, filled[known]]
    else:
        columns = np.full((len(names), view.width), np.nan)
    return HeatPicture(names, colours, columns, (low, high), levels, logarithmic)


def _whole(x: NDArray[np.float64], view: View) -> tuple[float, float] | None:
    if len(x) == 0:
        return None
    if not view.log_x:
        return float(x[0]), float(x[-1])
    first = float(x[min(int(np.searchsorted(x, 0.0, "right")), len(x) - 1)])
    return float(np.log10(max(first, 1e-12))), float(np.log10(max(float(x[-1]), 1e-12)))


def _read(
    tail: RunTail, records: Records, above: list[str], below: list[str], rows: slice
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Values of the layers in some rows, and which of them are not finite, each [layers, rows]."""
    numbers = [tail.number(name) for name in above]
    values, bad = records.means(numbers, rows), records.brokens(numbers, rows)
    if not below:
        return values, bad
    numbers = [tail.number(name) for name in below]
    ratio = divided(values, records.means(numbers, rows))
    return ratio, bad | records.brokens(numbers, rows) | ~np.isfinite(ratio)
