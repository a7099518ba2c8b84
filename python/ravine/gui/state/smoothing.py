"""Smoothing of recorded values; values that are not finite are left out, never averaged in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["off", "exponential", "mean", "median"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Array = NDArray[np.float64]
_LARGEST_RATIO = 1e8  # of weights within a block, so that rounding stays below 1e-8


@dataclass(frozen=True)
class Smoothing:
    """How a curve is smoothed.

    Args:
        kind: "off"; "exponential", weights d^age, divided by their sum (debiased), d = 1 - 2 / (span + 1);
            "mean" or "median" of the last `span` records.
        span: records that count, at least 1.
    """

    kind: Kind = "exponential"
    span: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.span < 1:
            raise ValueError(f"no smoothing of kind {self.kind!r} over {self.span} records")

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return self.kind != "off" and self.span > 1


class Smoother:
    """Smooths a curve that grows: each call costs what is new.

    Args:
        smoothing: which, and over how many records.

    Example:
        >>> smoother = Smoother(Smoothing("mean", 2))
        >>> smoother.extend(np.array([1.0, 3.0, 5.0])).tolist()
        [1.0, 2.0, 4.0]
    """

    def __init__(self, smoothing: Smoothing) -> None:
        self.smoothing = smoothing
        self._sum = self._weight = 0.0
        self._last: Array = np.empty(0)

    def extend(self, values: NDArray[np.floating]) -> Array:
        """The smoothed values of new records [n]; NaN where no finite value came before."""
        values = cast(Array, np.asarray(values, np.float64))
        kind, span = self.smoothing.kind, self.smoothing.span
        if not self.smoothing.active or len(values) == 0:
            return values
        if kind == "exponential":
            decay = 1.0 - 2.0 / (span + 1.0)
            there = np.isfinite(values)
            sums = _decayed(np.where(there, values, 0.0), decay, self._sum)
            weights = _decayed(there.astype(np.float64), decay, self._weight)
            self._sum, self._weight = float(sums[-1]), float(weights[-1])
            return cast(Array, np.divide(sums, weights, out=np.full(len(values), np.nan), where=weights > 0))
        before = len(self._last)
        joined = np.concatenate([self._last, values])
        self._last = joined[max(0, len(joined) - span + 1) :].copy()
        padded = np.concatenate([np.full(span - 1 - min(before, span - 1), np.nan), joined])
        padded[~np.isfinite(padded)] = np.nan
        found = _windowed_mean(padded, span) if kind == "mean" else _windowed_median(padded, span)
        return found[-len(values) :]


def _decayed(values: Array, decay: float, start: float) -> Array:
    """s_i = decay s_(i-1) + values_i, from s = start: in blocks side by side, then their ends in turn."""
    size = max(1, min(len(values), int(math.log(_LARGEST_RATIO) / -math.log(decay)))) if decay > 0 else 1
    blocks = -(-len(values) // size)
    powers = decay ** np.arange(size)
    padded = np.zeros(blocks * size)
    padded[: len(values)] = values
    table = padded.reshape(blocks, size)
    table /= powers
    np.cumsum(table, axis=1, out=table)
    table *= powers
    carried, whole = np.empty(blocks), decay**size
    last = start
    for block, end in enumerate(table[:, -1].tolist()):
        carried[block] = last
        last = whole * last + end
    table += carried[:, None] * (decay * powers)
    return padded[: len(values)]


def _windowed_mean(values: Array, span: int) -> Array:
    there = np.isfinite(values)
    # About the first value, so that a large mean does not cost digits.
    centre = float(values[there][0]) if there.any() else 0.0
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, values - centre, 0.0))])
    counts = np.concatenate([[0], np.cumsum(there)])
    total, count = sums[span:] - sums[:-span], counts[span:] - counts[:-span]
    means: Array = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0) + centre
    return means


def _windowed_median(values: Array, span: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(values, span)
    found = np.empty(len(windows))
    rows = max(1, 2_000_000 // span)
    for begin in range(0, len(windows), rows):
        # NaN sorts to the end: the middle of what is finite.
        part = np.sort(windows[begin : begin + rows], axis=1)
        count = np.isfinite(part).sum(axis=1)
        index = np.arange(len(part))
        low, high = part[index, np.maximum(count - 1, 0) // 2], part[index, count // 2]
        found[begin : begin + rows] = np.where(count > 0, (low + high) / 2, np.nan)
    return found
