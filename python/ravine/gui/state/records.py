"""Records of a run in bounded memory: each for itself as long as there is room, groups of them after that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.smoothing import Smoother, Smoothing

MOST_ROWS = 1 << 17  # several for each pixel column of any screen
LEAST_ROWS = 1 << 10
BYTES = 64 << 20  # of one run
MOST_SMOOTHED = 64  # curves whose smoothed values are kept
_FIRST_GROUP = 4  # a group takes 13 bytes a column, a record 4
_Kind = TypeVar("_Kind", bound=np.generic)


def _most(size: int, row: int) -> int:
    return min(max(size // row, LEAST_ROWS), MOST_ROWS) // _FIRST_GROUP * _FIRST_GROUP


class Records:
    """Records that grow at their end, and take no more memory than a bound.

    As long as there is room every record is a row of its own. Then four and later eight, sixteen, ...
    consecutive records are one row: with the place of the last of them, and with the smallest, the largest
    and the mean finite value of each column. What does not fill a group yet stands alone behind the groups,
    so that the newest record is always there.

    Args:
        columns: values of a record.
        places: numbers that say where a record is, never falling (step, epoch, seconds).
        size: bytes that rows may take.

    Attributes:
        most: records that may stand alone.
        stride: records of a group; 1 as long as all stand alone.
        count: of records that were taken.
        first_broken: [columns] first place (of `places[0]`) of a value that is not finite; NaN where none is.
        not_positive: [columns] finite values that a logarithmic axis cannot show.
        last: [columns] newest values.

    Example:
        >>> records = Records(1, 1)
        >>> records.append(np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, np.nan, 7.0]]))
        >>> records.mean(0).tolist(), records.broken(0).tolist(), records.first_broken.tolist()
        ([5.0, nan, 7.0], [False, True, False], [2.0])
    """

    def __init__(self, columns: int, places: int, size: int = BYTES) -> None:
        self.stride = 1
        self.count = 0
        self.first_broken = np.full(columns, np.nan)
        self.not_positive = np.zeros(columns, np.int64)
        self.last = np.full(columns, np.nan, np.float32)
        self.most = _most(size, 8 * places + 4 * columns)
        self._most_groups = _most(size, 8 * places + 13 * columns)
        self._groups = self._rows = 0
        self._places = np.empty((places, LEAST_ROWS))
        self._mean = np.empty((columns, LEAST_ROWS), np.float32)
        self._low = self._high = self._mean
        self._broken = np.empty((columns, 0), np.bool_)
        self._smoothed: dict[tuple[int, Smoothing], tuple[Smoother, NDArray[np.float32], int]] = {}

    @property
    def exact(self) -> bool:
        """Whether every record stands alone."""
        return self.stride == 1

    def __len__(self) -> int:
        """Rows: groups, and records that stand alone."""
        return self._rows

    @property
    def bytes(self) -> int:
        """Of memory that rows take."""
        values = self._mean.nbytes * (1 if self.exact else 3)
        smoothed = sum(done.nbytes for _, done, _ in self._smoothed.values())
        return self._places.nbytes + self._broken.nbytes + values + smoothed

    def append(self, places: NDArray[np.floating], values: NDArray[np.floating]) -> None:
        """Adds records: places [places, n], values [columns, n]."""
        values = np.asarray(values, np.float32)
        if values.shape[1] == 0:
            return
        self._look_at(places, values)
        if self._rows > self._groups:
            alone = slice(self._groups, self._rows)
            places = np.concatenate([self._places[:, alone], places], axis=1)
            values = np.concatenate([self._mean[:, alone], values], axis=1)
            self._rows = self._groups
        while (whole := values.shape[1] // self.stride) > 0:
            room = (self.most if self.exact else self._most_groups) - self._groups
            if room <= 0:
                self._coarsen()
                continue
            take = min(whole, room)
            self._add_groups(places[:, : take * self.stride], values[:, : take * self.stride], take)
            places, values = places[:, take * self.stride :], values[:, take * self.stride :]
        count = values.shape[1]
        if count:
            self._reserve(self._groups + count)
            self._put(places, values, values, values, ~np.isfinite(values))

    def _look_at(self, places: NDArray[np.floating], values: NDArray[np.float32]) -> None:
        self.count += values.shape[1]
        self.last = values[:, -1].copy()
        self.not_positive += np.count_nonzero((values <= 0) & (values > -np.inf), axis=1)
        finite = np.isfinite(values)
        if not finite.all():
            broken = ~finite
            fresh = np.isnan(self.first_broken) & broken.any(axis=1)
            self.first_broken[fresh] = places[0][broken.argmax(axis=1)[fresh]]

    def _add_groups(self, places: NDArray[np.floating], values: NDArray[np.float32], count: int) -> None:
        self._reserve(self._groups + count)
        if self.exact:
            self._put(places, values, values, values, None)
        else:
            table = values.reshape(len(values), count, self.stride)
            self._put(places[:, self.stride - 1 :: self.stride], *_summarized(table, table, table))
        self._groups = self._rows

    def _put(
        self,
        places: NDArray[np.floating],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
        mean: NDArray[np.float32],
        broken: NDArray[np.bool_] | None,
    ) -> None:
        end = self._rows + places.shape[1]
        there = slice(self._rows, end)
        self._places[:, there] = places
        self._mean[:, there] = mean
        if not self.exact:
            self._low[:, there], self._high[:, there] = low, high
            if broken is not None:
                self._broken[:, there] = broken
        self._rows = end

    def _reserve(self, rows: int) -> None:
        """Room for so many rows: twice as many as before, but never much more than there will be."""
        capacity = self._places.shape[1]
        if rows <= capacity:
            return
        bound = self.most if self.exact else self._most_groups + self.stride
        capacity = max(rows, min(2 * capacity, bound))
        self._places = _larger(self._places, capacity, self._rows)
        shared = self.exact
        self._mean = _larger(self._mean, capacity, self._rows)
        if shared:
            self._low = self._high = self._mean
        else:
            self._low, self._high = (_larger(one, capacity, self._rows) for one in (self._low, self._high))
            self._broken = _larger(self._broken, capacity, self._rows)

    def _coarsen(self) -> None:
        """Makes one row of several."""
        factor = _FIRST_GROUP if self.exact else 2
        rows, columns = self._groups, len(self._mean)
        count = rows // factor
        if self.exact:
            values = self._mean[:, :rows].reshape(columns, count, factor)
            low, high, mean, broken = _summarized(values, values, values)
        else:
            shape = (columns, count, factor)
            low, high, mean, _ = _summarized(
                *(one[:, :rows].reshape(shape) for one in (self._low, self._high, self._mean))
            )
            broken = self._broken[:, :rows].reshape(shape).max(axis=2)
        places = self._places[:, factor - 1 : rows : factor].copy()
        self.stride *= factor
        capacity = max(LEAST_ROWS, min(2 * count, self._most_groups + self.stride))
        self._smoothed.clear()
        self._places = _larger(places, capacity, count)
        self._low, self._high, self._mean = (_larger(one, capacity, count) for one in (low, high, mean))
        self._broken = _larger(broken, capacity, count)
        self._groups = self._rows = count

    def places(self, row: int) -> NDArray[np.float64]:
        """Where the rows are [n]; a view, valid until the next append, as all that follow."""
        return self._places[row, : self._rows]

    def low(self, column: int) -> NDArray[np.float32]:
        """Smallest finite values of the rows [n]; as recorded where all records stand alone."""
        return self._low[column, : self._rows]

    def high(self, column: int) -> NDArray[np.float32]:
        """Largest finite values of the rows [n]."""
        return self._high[column, : self._rows]

    def mean(self, column: int) -> NDArray[np.float32]:
        """Means of the finite values of the rows [n]; as recorded where all records stand alone."""
        return self._mean[column, : self._rows]

    def broken(self, column: int) -> NDArray[np.bool_]:
        """Which rows hold a value of the column that is not finite [n]."""
        if self.exact:
            return ~np.isfinite(self.mean(column))
        return self._broken[column, : self._rows]

    def means(self, columns: Sequence[int], rows: slice = slice(None)) -> NDArray[np.float32]:
        """Means of several columns, of some rows [columns, rows]; a copy."""
        return self._mean[:, : self._rows][:, rows][list(columns)]

    def brokens(self, columns: Sequence[int], rows: slice = slice(None)) -> NDArray[np.bool_]:
        """Which rows of several columns hold what is not finite [columns, rows]; a copy."""
        if self.exact:
            return ~np.isfinite(self.means(columns, rows))
        return self._broken[:, : self._rows][:, rows][list(columns)]

    def smoothed(self, column: int, smoothing: Smoothing) -> NDArray[np.float32]:
        """A column smoothed [n]; only what is new is computed.

        Groups are smoothed by their means, over as many groups as hold the records that are asked for;
        behind them the last smoothed value goes on to the newest record.
        """
        key = (column, smoothing)
        if key not in self._smoothed:
            span = max(1, round(smoothing.span / self.stride))
            self._smoothed[key] = (Smoother(Smoothing(smoothing.kind, span)), np.empty(0, np.float32), 0)
        smoother, done, count = self._smoothed.pop(key)
        if len(done) < self._rows:
            done = _larger(done[None], self._mean.shape[1], count)[0]
        done[count : self._groups] = smoother.extend(self._mean[column, count : self._groups])
        done[self._groups : self._rows] = done[self._groups - 1] if self._groups else np.nan
        self._smoothed[key] = (smoother, done, self._groups)
        while len(self._smoothed) > MOST_SMOOTHED:
            self._smoothed.pop(next(iter(self._smoothed)))
        return done[: self._rows]


def _larger(values: NDArray[_Kind], capacity: int, rows: int) -> NDArray[_Kind]:
    larger = np.empty((len(values), capacity), values.dtype)
    larger[:, :rows] = values[:, :rows]
    return larger


def _summarized(
    low: NDArray[np.float32], high: NDArray[np.float32], mean: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Smallest, largest and mean finite value along the last axis, and where one is not finite."""
    finite = np.isfinite(mean)
    if finite.all():
        means = mean.mean(axis=2, dtype=np.float64).astype(np.float32)
        return low.min(axis=2), high.max(axis=2), means, np.zeros(means.shape, np.bool_)
    count = np.count_nonzero(finite, axis=2)
    there = count > 0
    sums = np.where(finite, mean, 0).sum(axis=2, dtype=np.float64)
    nan = np.float32(np.nan)
    return (
        np.where(there, np.where(finite, low, np.inf).min(axis=2), nan).astype(np.float32),
        np.where(there, np.where(finite, high, -np.inf).max(axis=2), nan).astype(np.float32),
        np.divide(sums, count, out=np.full(sums.shape, np.nan), where=there).astype(np.float32),
        np.asarray(count < finite.shape[2]),
    )
