"""Transforms of the inputs, fitted on the training samples only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ravine.data._gather import column_statistics, scale_columns
from ravine.data.dataset import Array, as_inputs, check_finite
from ravine.errors import InputError

Kind = Literal["none", "standardize", "scale", "centre"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, eq=False)
class Transform:
    """y = (x - mean) / deviation for each feature, computed in float64.

    Args:
        kind: how it was fitted.
        mean: float64, the shape of one sample.
        deviation: float64, the shape of one sample, positive.

    Example:
        >>> fit("scale", np.full((2, 3), 255, np.uint8)).apply(np.full((1, 3), 51, np.uint8)).round(6)
        array([[0.2, 0.2, 0.2]], dtype=float32)
    """

    kind: Kind
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def apply(self, inputs: ArrayLike, *, dtype: DTypeLike = np.float32, threads: int = 1) -> Array:
        """Transformed inputs [samples, *shape] of type `dtype` (float32 or float64), in one pass.

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
        out = np.empty(source.shape, dtype)
        scale_columns(source, self.mean, 1.0 / self.deviation, out, threads)
        if source.dtype != np.uint8:
            check_finite(out, "preprocessed inputs", "inputs")
        return out

    def state(self) -> dict[str, NDArray[Any]]:
        """The transform as arrays, for a checkpoint."""
        kind = np.frombuffer(self.kind.encode("ascii"), np.uint8).copy()
        return {"kind": kind, "mean": self.mean, "deviation": self.deviation}

    @staticmethod
    def from_state(state: Mapping[str, NDArray[Any]]) -> Transform:
        """The transform that gave this state.

        Raises:
            InputError: an array is missing or cannot be one of a transform's.
        """
        missing = {"kind", "mean", "deviation"} - set(state)
        if missing:
            raise InputError(f"has no {', '.join(sorted(missing))}", key="preprocessing")
        kind = np.asarray(state["kind"], np.uint8).tobytes().decode("ascii", "replace")
        mean = np.ascontiguousarray(state["mean"], np.float64)
        deviation = np.ascontiguousarray(state["deviation"], np.float64)
        for known in KINDS:
            if kind == known and mean.shape == deviation.shape:
                if np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0).all():
                    return Transform(known, mean, deviation)
                raise InputError("holds values that are not finite or not positive", key="preprocessing")
        raise InputError(
            f"is {kind!r} with shapes {list(mean.shape)} and {list(deviation.shape)}, expected one of "
            f"{', '.join(KINDS)} with equal shapes",
            key="preprocessing",
        )


def fit(kind: Kind, inputs: ArrayLike, *, divisor: float = 255.0, threads: int = 1) -> Transform:
    """Fit a transform to the training inputs.

    `none` changes nothing; `scale` divides by `divisor`; `centre` subtracts the mean of each feature;
    `standardize` also divides by its population deviation, sqrt(sum((x - mean)^2) / n), where constant
    features get deviation 1.

    Args:
        kind: "none", "standardize", "scale" or "centre".
        inputs: the training inputs [samples, *shape].
        divisor: of `scale`, positive.
        threads: the most threads to use; the result is the same bits for any number.

    Raises:
        InputError: an unknown kind, no samples, or values too large for their variance.

    Example:
        >>> fit("standardize", [[1.0, 5.0], [3.0, 5.0]]).apply([[1.0, 5.0]])
        array([[-1.,  0.]], dtype=float32)
    """
    if kind not in KINDS:
        raise InputError(f"is {kind!r}, expected one of {', '.join(KINDS)}", key="data.preprocessing")
    source = as_inputs(inputs)
    if source.size == 0:
        raise InputError("there are no samples to fit to", key="data.preprocessing")
    shape = source.shape[1:]
    mean, deviation = np.zeros(shape), np.ones(shape)
    if kind == "scale":
        if not (math.isfinite(divisor) and divisor > 0):
            raise InputError(f"is {divisor}, expected a positive number", key="data.divisor")
        deviation[...] = divisor
    elif kind != "none":
        variance = np.empty(shape)
        column_statistics(source, mean, variance, threads)
        if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
            raise InputError("the values are too large for a mean and a variance", key="data.preprocessing")
        if kind == "standardize":
            constant = variance <= _rounding_bound(mean, variance, len(source))
            deviation = np.sqrt(np.where(constant, 1.0, variance))
    return Transform(kind, mean, deviation)


def _rounding_bound(
    mean: NDArray[np.float64], variance: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """The largest variance that rounding alone can give a constant feature (Chan, Golub and LeVeque 1983)."""
    epsilon = float(np.finfo(np.float64).eps)
    bound: NDArray[np.float64] = count * epsilon * variance + (count * mean * epsilon) ** 2
    return bound
