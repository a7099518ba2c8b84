"""Transforms of the inputs, fitted on the training samples only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ravine.data._gather import column_statistics, gather_rows, gather_scaled, scale_columns
from ravine.data.dataset import Array, Indices, as_inputs, check_finite
from ravine.data.mapping import mapped_file
from ravine.data.principal import axes, covariance, project
from ravine.errors import InputError

Kind = Literal["none", "standardize", "scale", "centre", "min_max", "pca", "pca_whitening", "zca"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PRINCIPAL = ("pca", "pca_whitening", "zca")  # kinds that mix features
KEY = "data.preprocessing"
BLOCK_BYTES = 64 << 20  # of the rows of a memory map that are looked at together


@dataclass(frozen=True, eq=False)
class Transform:
    """y = (x - mean) / deviation for each feature, or y = (x - mean) matrix, computed in float64.

    Args:
        kind: how it was fitted.
        mean: float64, the shape of one sample.
        deviation: float64, the shape of one sample, positive; 1 where there is a matrix.
        matrix: float64 [features, outputs] of the kinds pca, pca_whitening and zca, or None.

    Example:
        >>> fit("scale", np.full((2, 3), 255, np.uint8)).apply(np.full((1, 3), 51, np.uint8)).round(6)
        array([[0.2, 0.2, 0.2]], dtype=float32)
    """

    kind: Kind
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    matrix: NDArray[np.float64] | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a sample before."""
        return self.mean.shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a sample after: components make a row, all other kinds keep the shape."""
        if self.matrix is None or self.kind == "zca":
            return self.mean.shape
        return (self.matrix.shape[1],)

    def apply(self, inputs: ArrayLike, *, dtype: DTypeLike = np.float32, threads: int = 1) -> Array:
        """Transformed inputs [samples, *output_shape] of type `dtype` (float32 or float64), in one pass.

        Raises:
            InputError: the shape of a sample is not the fitted one, or a result does not fit `dtype`.
        """
        source = as_inputs(inputs)
        if source.shape[1:] != self.mean.shape:
            raise InputError(
                f"a sample has shape {list(source.shape[1:])}, the preprocessing was fitted on "
                f"{list(self.mean.shape)}",
                key="inputs",
            )
        if self.kind == "none" and source.dtype == dtype:
            return source
        out = np.empty((len(source), *self.output_shape), dtype)
        self.gather(source, None, out, threads=threads)
        if source.dtype != np.uint8:
            check_finite(out, "preprocessed inputs", "inputs")
        return out

    def gather(self, source: Array, rows: Indices | None, out: Array, *, threads: int = 1) -> None:
        """Writes the transformed rows of `source` to `out`, in one pass.

        Args:
            source: uint8, float32 or float64 [stored samples, *input_shape], C-contiguous.
            rows: int64 [samples], in their order; None: all.
            out: float32 or float64 [samples, *output_shape], C-contiguous.
            threads: the most threads to use; the result is the same bits for any number.
        """
        if self.matrix is not None:
            project(source, self.mean, self.matrix, out.reshape(len(out), -1), threads, rows=rows)
        elif rows is None:
            scale_columns(source, self.mean, 1.0 / self.deviation, out, threads)
        else:
            gather_scaled(source, rows, self.mean, 1.0 / self.deviation, out, threads)

    def repeated(self, shape: tuple[int, ...]) -> Transform:
        """The transform of one row of channels for samples [..., channels] of a shape."""
        mean, deviation = (np.broadcast_to(one, shape).copy() for one in (self.mean, self.deviation))
        return Transform(self.kind, mean, deviation)

    def state(self) -> dict[str, NDArray[Any]]:
        """The transform as arrays, for a checkpoint."""
        kind = np.frombuffer(self.kind.encode("ascii"), np.uint8).copy()
        arrays: dict[str, NDArray[Any]] = {"kind": kind, "mean": self.mean, "deviation": self.deviation}
        return arrays if self.matrix is None else arrays | {"matrix": self.matrix}

    @staticmethod
    def from_state(state: Mapping[str, NDArray[Any]]) -> Transform:
        """The transform that gave this state.

        Raises:
            InputError: an array is missing or cannot be one of a transform's.
        """
        missing = {"kind", "mean", "deviation"} - set(state)
        if missing:
            raise InputError(f"has no {', '.join(sorted(missing))}", key="preprocessing")
        stored = np.asarray(state["kind"], np.uint8).tobytes().decode("ascii", "replace")
        mean = np.ascontiguousarray(state["mean"], np.float64)
        deviation = np.ascontiguousarray(state["deviation"], np.float64)
        kind = next((known for known in KINDS if known == stored), None)
        if kind is None or mean.shape != deviation.shape:
            raise InputError(
                f"is {stored!r} with shapes {list(mean.shape)} and {list(deviation.shape)}, expected one of "
                f"{', '.join(KINDS)} with equal shapes",
                key="preprocessing",
            )
        if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0).all()):
            raise InputError("holds values that are not finite or not positive", key="preprocessing")
        if kind not in PRINCIPAL:
            return Transform(kind, mean, deviation)
        if "matrix" not in state:
            raise InputError("has no matrix", key="preprocessing")
        matrix = np.ascontiguousarray(state["matrix"], np.float64)
        features, outputs = mean.size, matrix.shape[-1] if matrix.ndim else 0
        fits = 1 <= outputs <= features and (kind != "zca" or outputs == features)
        if matrix.shape != (features, outputs) or not fits or not np.isfinite(matrix).all():
            raise InputError(
                f"holds a matrix {list(matrix.shape)} that cannot be, for {features} features",
                key="preprocessing",
            )
        return Transform(kind, mean, deviation, matrix)


def fit(
    kind: Kind,
    inputs: ArrayLike,
    *,
    divisor: float = 255.0,
    components: float = 0,
    epsilon: float = 1e-5,
    indicators: NDArray[np.bool_] | None = None,
    rows: Indices | None = None,
    threads: int = 1,
) -> Transform:
    """Fit a transform to the training inputs.

    With the mean m of each feature, C = sum (x - m) (x - m)^T / n = U diag(v) U^T, v descending:

    - none: y = x; scale: y = x / divisor; centre: y = x - m (L1)
    - standardize: y = (x - m) / s, s = sqrt(sum (x - m)^2 / n) (L1; L3, slide 19)
    - min_max: y = (x - min) / (max - min), in [0, 1] on the training samples
    - pca: y = U^T (x - m), features without correlation (L3, slide 19)
    - pca_whitening: y = diag(v + epsilon v_1)^(-1/2) U^T (x - m), of variance 1 besides
    - zca: y = U diag(v + epsilon v_1)^(-1/2) U^T (x - m): the whitened features that are nearest to x - m;
      images stay images

    A feature that is constant gets s = 1, or max - min = 1. epsilon is a share of the largest variance v_1,
    so that the units of the inputs do not matter; it bounds how much directions that hardly vary, such as the
    corners of images, are magnified. As U and -U are equally good, the largest coordinate of each axis is
    made positive. The bits are the same for any number of threads.

    Args:
        kind: one of the above.
        inputs: the training inputs [samples, *shape].
        divisor: of scale, positive.
        components: of pca and pca_whitening: how many are kept, those of the largest variance; below 1, the
            fewest that hold more than this share of the whole variance; 0 keeps all.
        epsilon: of the whitenings, at least 0.
        indicators: features [features] that are 0 or 1 by their meaning; all kinds before pca leave them
            alone.
        rows: int64, the rows of `inputs` that are the training samples; they are read in blocks, so that
            inputs may be a memory map. None: all.
        threads: the most threads to use.

    Raises:
        InputError: an unknown kind, no samples, values too large for their variance, more components than
            there are features, or nothing that varies to be whitened.

    Source: Hotelling (1933), "Analysis of a complex of statistical variables into principal components"; Bell
    and Sejnowski (1997), "The 'independent components' of natural scenes are edge filters".

    Example:
        >>> fit("standardize", [[1.0, 5.0], [3.0, 5.0]]).apply([[1.0, 5.0]])
        array([[-1.,  0.]], dtype=float32)
        >>> fit("pca", [[1.0, 1.0], [3.0, 3.0]], components=1).apply([[3.0, 3.0]]).round(4)
        array([[1.4142]], dtype=float32)
    """
    if kind not in KINDS:
        raise InputError(f"is {kind!r}, expected one of {', '.join(KINDS)}", key=KEY)
    source = as_inputs(inputs)
    if source.size == 0 or (rows is not None and len(rows) == 0):
        raise InputError("there are no samples to fit to", key=KEY)
    shape = source.shape[1:]
    mean, deviation = np.zeros(shape), np.ones(shape)
    if kind == "none":
        return Transform(kind, mean, deviation)
    if kind == "scale":
        if not (math.isfinite(divisor) and divisor > 0):
            raise InputError(f"is {divisor}, expected a positive number", key="data.divisor")
        deviation[...] = divisor
    elif kind == "min_max":
        mean[...], largest = _extremes(source, rows)
        with np.errstate(over="ignore"):
            deviation[...] = largest - mean
        if not np.isfinite(deviation).all():
            raise InputError("the values are too large for a range", key=KEY)
        deviation[deviation == 0] = 1.0
    else:
        variance = np.empty(shape)
        count = _moments(source, rows, mean, variance, threads)
        if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
            raise InputError("the values are too large for a mean and a variance", key=KEY)
        if kind in PRINCIPAL:
            matrix = _mixing(kind, covariance(source, mean, threads, rows=rows), components, epsilon)
            return Transform(kind, mean, deviation, matrix)
        if kind == "standardize":
            constant = variance <= _rounding_bound(mean, variance, count)
            deviation = np.sqrt(np.where(constant, 1.0, variance))
    if indicators is not None:
        mean[indicators.reshape(shape)] = 0.0
        deviation[indicators.reshape(shape)] = 1.0
    return Transform(kind, mean, deviation)


def _blocks(source: Array, rows: Indices) -> Iterator[Array]:
    """Copies of these rows, some at a time; of a memory map nobody has looked at the values before."""
    count = max(1, BLOCK_BYTES // max(1, math.prod(source.shape[1:]) * source.itemsize))
    for begin in range(0, len(rows), count):
        chosen = np.ascontiguousarray(rows[begin : begin + count])
        block = np.empty((len(chosen), *source.shape[1:]), source.dtype)
        gather_rows(source, chosen, block)
        check_finite(block, "inputs", "inputs", rows=chosen, file=mapped_file(source))
        yield block


def _moments(
    source: Array,
    rows: Indices | None,
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    threads: int,
) -> int:
    """Mean and population variance of each feature, and the number of samples.

    Blocks of rows are combined as Chan, Golub and LeVeque (1983) do.
    """
    if rows is None:
        column_statistics(source, mean, variance, threads)
        return len(source)
    count = 0
    block_mean, block_variance = np.empty_like(mean), np.empty_like(variance)
    mean[...], variance[...] = 0.0, 0.0
    for block in _blocks(source, rows):
        column_statistics(block, block_mean, block_variance, threads)
        share = len(block) / (count + len(block))
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for what is not finite
            block_mean -= mean
            mean += share * block_mean
            variance += share * (block_variance - variance) + share * (1.0 - share) * block_mean**2
        count += len(block)
    return count


def _extremes(source: Array, rows: Indices | None) -> tuple[Array, Array]:
    """The least and the largest value of each feature."""
    if rows is None:
        return source.min(axis=0), source.max(axis=0)
    found = [(block.min(axis=0), block.max(axis=0)) for block in _blocks(source, rows)]
    return np.min([least for least, _ in found], axis=0), np.max([most for _, most in found], axis=0)


def _mixing(
    kind: Kind, matrix: NDArray[np.float64], components: float, epsilon: float
) -> NDArray[np.float64]:
    """The matrix of a kind that mixes features [features, outputs], from their covariance."""
    variances, vectors = axes(matrix)
    kept = _kept(variances, components) if kind != "zca" else len(variances)
    variances, vectors = variances[:kept], vectors[:kept]
    if kind == "pca":
        return np.ascontiguousarray(vectors.T)
    if not (math.isfinite(epsilon) and epsilon >= 0):
        raise InputError(f"is {epsilon}, expected a number of at least 0", key="data.epsilon")
    if variances[0] == 0:
        raise InputError("no input varies over the training samples: there is nothing to whiten", key=KEY)
    # Rounding gives a direction in which nothing varies up to this variance; to divide by its root is noise.
    smallest = variances[0] * len(matrix) * np.finfo(np.float64).eps
    scales = variances + epsilon * variances[0]
    if scales[-1] <= smallest:
        flat = int((scales <= smallest).sum())
        raise InputError(
            f"is {epsilon:g}, but {flat} of {len(scales)} components do not vary over the training samples; "
            "set it above 0" + (", or keep fewer components" if kind == "pca_whitening" else ""),
            key="data.epsilon",
        )
    whitened = vectors.T / np.sqrt(scales)
    if kind == "pca_whitening":
        return np.ascontiguousarray(whitened)
    from ravine._core import multiply

    return multiply(np.ascontiguousarray(whitened), vectors)


def _kept(variances: NDArray[np.float64], components: float) -> int:
    """How many of the components, whose variances these are, are asked for."""
    features = len(variances)
    if components == 0:
        return features
    if 0 < components < 1:
        total = float(variances.sum())
        if total == 0:
            return 1
        shares = np.cumsum(variances) / total
        return min(features, int(np.searchsorted(shares, components, side="right")) + 1)
    if components != int(components) or not 1 <= components <= features:
        raise InputError(
            f"is {components:g}, expected a whole number up to the {features} features, or a share of the "
            "variance between 0 and 1",
            key="data.components",
        )
    return int(components)


def _rounding_bound(
    mean: NDArray[np.float64], variance: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """The largest variance that rounding alone can give a constant feature (Chan, Golub and LeVeque 1983)."""
    epsilon = float(np.finfo(np.float64).eps)
    bound: NDArray[np.float64] = count * epsilon * variance + (count * mean * epsilon) ** 2
    return bound
