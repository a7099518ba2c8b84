"""Arrays that grow at their end."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingRows:
    """Rows of equal length, appended in amortized constant time and kept contiguous.

    Args:
        dtype: of the values.
        rows: how many grow side by side.

    Example:
        >>> rows = GrowingRows(np.float32, 2)
        >>> rows.append(np.array([[1, 2, 3], [4, 5, 6]]))
        >>> rows.append(np.array([[7], [8]]))
        >>> rows[1].tolist(), len(rows)
        ([4.0, 5.0, 6.0, 8.0], 4)
    """

    def __init__(self, dtype: DTypeLike, rows: int = 1) -> None:
        self._values: NDArray[np.generic] = np.empty((rows, 1024), dtype)
        self._length = 0

    def append(self, values: NDArray[np.generic]) -> None:
        """Adds values [rows, n], or [n] to a single row."""
        values = np.atleast_2d(values)
        end = self._length + values.shape[1]
        if end > self._values.shape[1]:
            larger = np.empty((len(self._values), max(end, 2 * self._values.shape[1])), self._values.dtype)
            larger[:, : self._length] = self._values[:, : self._length]
            self._values = larger
        self._values[:, self._length : end] = values
        self._length = end

    def clear(self) -> None:
        """Forgets all values."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: int) -> NDArray[np.generic]:
        """A contiguous view of one row, valid until the next append."""
        return self._values[row, : self._length]

    @property
    def values(self) -> NDArray[np.generic]:
        """A view [rows, n] of all."""
        return self._values[:, : self._length]
