"""How the values of a layer's output, weights and gradients were distributed at a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine.errors import InputError

Kind = Literal["output", "weight", "gradient"]
KINDS: tuple[Kind, ...] = ("output", "weight", "gradient")
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)  # that are shown where none are named

_BINS_OF_FACTOR = 16  # of two
_LARGEST = 254 * _BINS_OF_FACTOR  # bin of the largest float32
_LONGEST = 9  # bytes of a number below 2^63


class DistributionRow(NamedTuple):
    """A distribution as it is recorded and stored; `Distribution.of` reads it.

    `packed` holds, for each bin that is not empty, how far it lies from the one before (the first: from the
    lowest) and its count, as numbers of seven bits a byte, the low ones first; all but the last byte of a
    number have 128 added.
    """

    step: int
    name: str
    kind: str
    minimum: float
    maximum: float
    packed: bytes


@dataclass(frozen=True)
class Distribution:
    """The distribution of some values at a step: exact counts in bins that follow the values' size.

    Each factor of two is cut into 16 bins of equal width, for positive and for negative values; zero has a
    bin of its own, with all that is closer to it than 2^-126. So whatever is read from the bins, such as a
    percentile, is off by at most 1/16 of its value; counts, minimum and maximum are exact.

    Args:
        step: after which it was taken; outputs and gradients are those of the step itself.
        name: of a layer ("dense_1"), for its output; of a parameter ("dense_1.weight") otherwise.
        kind: "output", "weight" (the values of a parameter) or "gradient" (of the loss by a parameter, before
            it is clipped).
        minimum, maximum: of the values, exactly.
        bins: numbers of the bins that are not empty, ascending [bins]: 0 for zero, b > 0 for the b-th bin
            above it, -b for the values with the opposite sign.
        counts: values in each of them [bins]. Infinite values are in no bin.

    Example:
        >>> packed = bytes([224, 31, 3, 128, 1, 1])  # 3 zeros, and a value in the 128th bin above
        >>> distribution = Distribution.of(DistributionRow(7, "dense_1", "output", 0.0, 3e-36, packed))
        >>> distribution.percentile([50, 100]).tolist()
        [0.0, 3e-36]
    """

    step: int
    name: str
    kind: str
    minimum: float
    maximum: float
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, row: DistributionRow) -> Distribution:
        """Unpacks a row.

        Raises:
            ValueError: its bytes are not what is written.
        """
        numbers = _numbers(row.packed)
        bins, counts = np.cumsum(numbers[::2]) - _LARGEST, numbers[1::2]
        rising = bool((numbers[2::2] > 0).all())
        if len(numbers) % 2 or not rising or (counts <= 0).any() or (np.abs(bins) > _LARGEST).any():
            raise ValueError(f"the counts of {row.name} at step {row.step} cannot be")
        return cls(row.step, row.name, row.kind, row.minimum, row.maximum, bins, counts)

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Where each bin begins and ends [bins, 2]; bins next to minimum and maximum end there."""
        magnitude = np.abs(self.bins)
        low = np.where(magnitude > 0, _edge(magnitude), 0.0)
        high = np.where(magnitude > 0, _edge(magnitude + 1), 0.0)
        ends = np.where(self.bins[:, None] >= 0, np.stack([low, high], 1), np.stack([-high, -low], 1))
        return np.clip(ends, self.minimum, self.maximum)

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def percentile(self, q: ArrayLike) -> Any:
        """Percentiles as `numpy.percentile` gives them, off by at most 1/16 of their values.

        Args:
            q: from 0 to 100, a number or [n].

        Returns:
            A number, or [n]; NaN where there are no values.

        Raises:
            InputError: q is outside 0 to 100.
        """
        wanted = np.asarray(q, np.float64)
        if not ((wanted >= 0) & (wanted <= 100)).all():
            raise InputError("percentiles are from 0 to 100", key="q")
        if not len(self.counts):
            found = np.full(wanted.shape, np.nan)
        else:
            place = wanted / 100 * (self.count - 1)
            below = np.floor(place)
            share = place - below
            found = (1 - share) * self._sorted(below) + share * self._sorted(np.ceil(place))
        return float(found) if found.ndim == 0 else found

    def histogram(self, edges: ArrayLike) -> NDArray[np.float64]:
        """Counts in bins of one's own, for drawing; the values of a bin are taken to be spread evenly.

        Args:
            edges: ascending [n + 1].

        Returns:
            How many values lie between neighbours [n], the upper edge of the last included.
        """
        wanted = np.asarray(edges, np.float64)
        if wanted.ndim != 1 or len(wanted) < 2 or not (np.diff(wanted) > 0).all():
            raise InputError("expected ascending edges", key="edges")
        low, high = self.edges.T
        width = high - low
        # What share of each bin lies below each edge.
        share = np.divide(
            wanted[:, None] - low, width, out=np.zeros((len(wanted), len(low))), where=width > 0
        )
        share = np.where(width > 0, np.clip(share, 0.0, 1.0), wanted[:, None] > low)
        share[-1][(width == 0) & (low == wanted[-1])] = 1.0
        counts: NDArray[np.float64] = np.diff(share @ self.counts)
        return counts

    def _sorted(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values at some places of their order, counted from 0."""
        ends = np.cumsum(self.counts)
        index = np.searchsorted(ends, place, side="right")
        counts = self.counts[index]
        low, high = self.edges[index].T if place.ndim else self.edges[index]
        inside = (place - (ends[index] - counts) + 0.5) / counts
        values: NDArray[np.float64] = low + inside * (high - low)
        values = np.where(place == 0, self.minimum, values)
        return np.where(place == self.count - 1, self.maximum, values)


def chosen(
    rows: list[DistributionRow], name: str | None = None, kind: Kind | None = None
) -> list[Distribution]:
    """Those of a name and a kind, unpacked."""
    return [Distribution.of(row) for row in rows if name in (None, row.name) and kind in (None, row.kind)]


def check_kind(kind: str | None) -> None:
    """Raises InputError unless it is a kind, or None."""
    if kind is not None and kind not in KINDS:
        raise InputError(f"'{kind}' is no kind of distribution; use {', '.join(KINDS)}", key="kind")


def _edge(magnitude: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the bins above zero begin; behind the last one is 2^128."""
    place = magnitude - 1
    fraction = 1 + place % _BINS_OF_FACTOR / _BINS_OF_FACTOR
    edge: NDArray[np.float64] = np.ldexp(fraction, place // _BINS_OF_FACTOR - 126)
    return edge


def _numbers(packed: bytes) -> NDArray[np.int64]:
    data = np.frombuffer(packed, np.uint8)
    if not len(data):
        return np.empty(0, np.int64)
    ends = np.flatnonzero(data < 128)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if data[-1] >= 128 or (lengths > _LONGEST).any():
        raise ValueError("a packed number does not end")
    place = np.arange(len(data)) - np.repeat(starts, lengths)
    return np.add.reduceat((data & 127).astype(np.int64) << (7 * place), starts)
