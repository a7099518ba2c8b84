"""Curves brought down to what a screen can show: minimum and maximum a pixel column, and both ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Columns(NamedTuple):
    """The pixel columns that hold points: where each begins, up to `end`, and its number."""

    begins: NDArray[np.intp]
    end: int
    numbers: NDArray[np.intp]


def pixel_columns(
    x: NDArray[np.float64], low: float, high: float, count: int, logarithmic: bool = False
) -> Columns:
    """Which points fall into which pixel column of a view.

    Args:
        x: [n], never falling.
        low, high: ends of the view in display coordinates: logarithms on a logarithmic axis.
        count: columns of the view.
        logarithmic: the axis.

    Returns:
        Columns that are not empty. One point beyond each end of the view is a column of its own (numbers -1
        and `count`), so that lines go on to the border.

    Example:
        >>> pixel_columns(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), 1.0, 3.0, 2).begins.tolist()
        [0, 1, 3, 4]
    """
    edges = low + (high - low) * np.arange(count + 1) / count
    if logarithmic:
        edges = 10.0**edges
    inner = np.searchsorted(x, edges[:-1], "left")
    last = int(np.searchsorted(x, edges[-1], "right"))
    first = int(inner[0])
    begins = np.concatenate([[max(first - 1, 0)] if first else [], inner, [last]]).astype(np.intp)
    numbers = np.concatenate([[-1] if first else [], np.arange(count + 1)]).astype(np.intp)
    end = min(last + 1, len(x))
    filled = np.append(begins[1:], end) > begins
    return Columns(begins[filled], end, numbers[filled])


def decimate(
    x: NDArray[np.float64], y: NDArray[np.floating], columns: Columns
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most two points a pixel column, minimum and maximum in the order in which the curve goes.

    The first and the last finite point are there besides. Values that are not finite are left out: a line
    goes over them.

    Args:
        x: [n], as `pixel_columns` had it.
        y: [n]; what is largest and smallest does not depend on the axis.
        columns: of `pixel_columns`.
    """
    begins, end, _ = columns
    if len(begins) == 0:
        return np.empty(0), np.empty(0)
    start = int(begins[0])
    x, within = x[start:end], np.asarray(y[start:end])
    begins = begins - start
    finite = np.isfinite(within)
    if not finite.all():
        x, within = x[finite], within[finite]
        begins = np.append(0, np.cumsum(finite))[begins]
        begins = begins[np.append(begins[1:], len(x)) > begins]
    if len(x) <= 2 * len(begins):
        return x, within.astype(np.float64)
    ends = np.append(begins[1:], len(x)) - 1
    low, high = np.minimum.reduceat(within, begins), np.maximum.reduceat(within, begins)
    rising = within[begins] <= within[ends]
    xs, ys = np.empty(2 * len(begins) + 2), np.empty(2 * len(begins) + 2)
    xs[0], ys[0], xs[-1], ys[-1] = x[0], within[0], x[-1], within[-1]
    xs[1:-1:2], xs[2:-1:2] = x[begins], x[ends]
    ys[1:-1:2], ys[2:-1:2] = np.where(rising, low, high), np.where(rising, high, low)
    return xs, ys


def column_means(
    values: NDArray[np.floating], broken: NDArray[np.bool_], columns: Columns
) -> NDArray[np.float64]:
    """Mean of the finite values of each pixel column; NaN where there is none.

    Args:
        values: [rows, n], from the first point of the columns to their end.
        broken: [rows, n] where one of the values is not finite, or one of the group that this is the mean of.
        columns: of `pixel_columns`.

    Returns:
        [rows, filled columns].
    """
    begins = columns.begins
    if len(begins) == 0:
        return np.empty((len(values), 0))
    begins = begins - begins[0]
    if not broken.any():
        sums = np.add.reduceat(values, begins, axis=1, dtype=np.float64)
        counts = np.diff(np.append(begins, values.shape[1])).astype(np.float64)
        return sums / counts
    finite = np.isfinite(values)
    sums = np.add.reduceat(np.where(finite, values, 0.0), begins, axis=1, dtype=np.float64)
    counts = np.add.reduceat(finite, begins, axis=1, dtype=np.float64)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def ticks_of(places: NDArray[np.float64], low: float, high: float, count: int) -> NDArray[np.float64]:
    """Places within a view, in display coordinates and never falling: at most one a pixel column."""
    inside: NDArray[np.float64] = places[(places >= low) & (places <= high)]
    if len(inside) <= 1 or high <= low:
        return inside
    numbers = ((inside - low) / (high - low) * count).astype(np.intp)
    first: NDArray[np.float64] = inside[np.append(True, np.diff(numbers) > 0)]
    return first
