"""Principal axes of samples: covariance, eigenvectors, projection, in float64.

The bits do not depend on the number of threads, nor on that of NumPy's BLAS, which is not used here: the
core's products and eigenvectors run on one thread each, and threads share blocks of rows whose sums are
added in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ravine.data._gather import gather_scaled, scale_columns
from ravine.data.dataset import Array, Indices
from ravine.errors import InputError

Matrix = NDArray[np.float64]
Result = TypeVar("Result")

MAXIMUM_FEATURES = 8192  # the covariance takes 512 MiB, its eigenvectors minutes
COVARIANCE_ROWS = 2048
# Always so many at once, along the axis that OpenBLAS's kernels cut by powers of two: each row is then
# computed by the same instructions, and what it gives does not depend on its place or its neighbours.
PROJECTED_ROWS = 128


def covariance(source: Array, mean: Matrix, threads: int = 1, *, rows: Indices | None = None) -> Matrix:
    """The population covariance C = sum (x - mean) (x - mean)^T / n.

    Args:
        source: uint8, float32 or float64 [n, *shape], C-contiguous, at least one row.
        mean: of each feature, float64 [*shape].
        threads: the most threads to use.
        rows: int64 [n], the rows of `source` that are meant; None: all.

    Returns:
        float64 [features, features].

    Raises:
        InputError: too many features.

    Example:
        >>> covariance(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([2.0, 0.0]))
        array([[1., 0.],
               [0., 0.]])
    """
    from ravine._core import scatter_matrix

    features = mean.size
    if features > MAXIMUM_FEATURES:
        raise InputError(
            f"takes a matrix of {features:,} x {features:,} features; at most {MAXIMUM_FEATURES:,} can be "
            "used: make images smaller, or use standardize",
            key="data.preprocessing",
        )
    count = len(source) if rows is None else len(rows)

    def scatter(begin: int) -> Matrix:
        centred = np.empty((min(COVARIANCE_ROWS, count - begin), *mean.shape))
        _centre(source, rows, begin, mean, centred)
        return scatter_matrix(centred.reshape(len(centred), features))

    total = np.zeros((features, features))
    for part in _in_order(scatter, range(0, count, COVARIANCE_ROWS), threads):
        total += part
    total /= count
    return total


def axes(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """Variances in descending order [features], and the unit vectors that have them, one a row.

    The largest coordinate of each vector is positive, as in scikit-learn's `PCA`: a vector and its opposite
    are equally good, and which of them is found must not decide about a run. Variances below 0, which only
    rounding can give, are 0.

    Raises:
        InputError: values too large for their covariance.

    Example:
        >>> axes(np.array([[1.0, 0.0], [0.0, 4.0]]))[0]
        array([4., 1.])
    """
    from ravine._core import symmetric_eigen

    if not np.isfinite(matrix).all():
        raise InputError("the values are too large for a covariance", key="data.preprocessing")
    values, vectors = symmetric_eigen(matrix)
    variances, vectors = np.maximum(values[::-1], 0.0), vectors[::-1].copy()
    largest = np.abs(vectors).argmax(axis=1)
    vectors *= np.where(vectors[np.arange(len(vectors)), largest] < 0, -1.0, 1.0)[:, np.newaxis]
    return variances, vectors


def project(
    source: Array,
    mean: Matrix,
    matrix: Matrix,
    out: Array,
    threads: int = 1,
    *,
    rows: Indices | None = None,
) -> None:
    """out = (x - mean) matrix, computed in float64.

    Args:
        source: uint8, float32 or float64 [stored samples, *shape], C-contiguous.
        mean: float64 [*shape].
        matrix: float64 [features, columns].
        out: float32 or float64 [samples, columns], overwritten.
        threads: the most threads to use.
        rows: int64 [samples], the rows of `source` that are meant, in their order; None: all.

    Example:
        >>> out = np.empty((1, 1))
        >>> project(np.array([[3.0, 4.0]]), np.zeros(2), np.array([[1.0], [0.5]]), out)
        >>> out
        array([[5.]])
    """
    from ravine._core import multiply

    across = np.ascontiguousarray(matrix.T)

    def put(begin: int) -> None:
        place = out[begin : begin + PROJECTED_ROWS]
        centred = np.zeros((PROJECTED_ROWS, *mean.shape))
        _centre(source, rows, begin, mean, centred[: len(place)])
        product = multiply(across, np.ascontiguousarray(centred.reshape(PROJECTED_ROWS, -1).T)).T
        with np.errstate(over="ignore"):  # what does not fit the type is found, and named, by the caller
            place[...] = product[: len(place)]

    for _ in _in_order(put, range(0, len(out), PROJECTED_ROWS), threads):
        pass


def _centre(source: Array, rows: Indices | None, begin: int, mean: Matrix, out: Matrix) -> None:
    """out = x - mean for the samples from `begin` on, so many as there is place for."""
    ones = np.ones_like(mean)
    if rows is None:
        scale_columns(source[begin : begin + len(out)], mean, ones, out, 1)
    else:
        gather_scaled(source, np.ascontiguousarray(rows[begin : begin + len(out)]), mean, ones, out, 1)


def _in_order(work: Callable[[int], Result], places: range, threads: int) -> Iterator[Result]:
    """What `work` gives for each place, in their order, computed by several threads, a few ahead at most."""
    if threads <= 1 or len(places) <= 1:
        yield from map(work, places)
        return
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(places), threads):
            yield from pool.map(work, places[first : first + threads])
