"""Layers by steps: one value of every layer, as the colours of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.curves import View
from ravine.gui.state.decimation import column_means, pixel_columns
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


def layer_values(tail: RunTail, statistic: str) -> tuple[tuple[str, ...], NDArray[np.floating]]:
    """The layers that have a statistic, and its values [layers, steps]."""
    if statistic != "update_ratio":
        columns = tail.layers(statistic)
        return tuple(columns), tail.table(list(columns.values()))
    updates, weights = tail.layers("update_norm"), tail.layers("weight_norm")
    names = [layer for layer in updates if layer in weights]
    above = tail.table([updates[name] for name in names]).astype(np.float64)
    below = tail.table([weights[name] for name in names]).astype(np.float64)
    return tuple(names), np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def heat_picture(tail: RunTail, statistic: str, view: View, table: NDArray[np.uint8]) -> HeatPicture:
    """Draws up a statistic of all layers.

    Args:
        tail: of the run.
        statistic: a key of `STATISTICS`.
        view: the x axis of the picture.
        table: [256, 3] colours from the smallest value to the largest.
    """
    names, values = layer_values(tail, statistic)
    logarithmic = statistic not in LINEAR
    x = tail.x(view.x_axis)
    empty = np.zeros((len(names), 1, 4), np.uint8)
    if len(x) == 0 or not names:
        return HeatPicture(names, empty, np.empty((len(names), 0)), None, (0.0, 1.0), logarithmic)
    whole = (float(x[0]), float(x[-1]))
    if view.log_x:
        first = float(x[min(int(np.searchsorted(x, 0.0, "right")), len(x) - 1)])
        whole = (float(np.log10(max(first, 1e-12))), float(np.log10(max(whole[1], 1e-12))))
    low, high = view.limits or whole
    if high <= low:
        high = low + 1.0
    found = pixel_columns(x, low, high, view.width, view.log_x)
    inside = (found.numbers >= 0) & (found.numbers <= view.width)
    means = column_means(values, found)[:, inside]
    start = int(found.begins[0]) if len(found.begins) else 0
    broken = np.add.reduceat(
        ~np.isfinite(values[:, start : found.end]), found.begins - start, axis=1, dtype=np.intp
    )[:, inside]
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
    picture[broken > 0] = NOT_FINITE
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
