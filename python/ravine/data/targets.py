"""Targets of a regression: brought to one scale for the network, and its outputs turned back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ravine.data.dataset import Array
from ravine.data.preprocessing import Transform, fit
from ravine.errors import InputError

TargetKind = Literal["none", "standardize", "min_max"]
KEY = "data.target_preprocessing"


def fit_targets(kind: TargetKind, targets: Array, *, threads: int = 1) -> Transform | None:
    """The transform of the targets, fitted on those of the training samples; None where none is asked for.

    Losses are then those of the transformed targets, which keeps gradients at the scale that initializers and
    learning rates are made for; errors in original units are |error| s, with s the deviation or range.

    Args:
        kind: "standardize", t = (y - m) / s, s = sqrt(sum (y - m)^2 / n); "min_max",
            t = (y - min) / (max - min); or "none".
        targets: values [samples, outputs] of the training samples; class labels are refused.
        threads: the most threads to use; the result is the same bits for any number.

    Raises:
        InputError: targets that are class labels, or that are all the same in a column.

    Example:
        >>> transform = fit_targets("standardize", np.array([[1.0], [3.0]]))
        >>> restored(transform, transform.apply([[5.0]]))
        array([[5.]], dtype=float32)
    """
    if kind == "none":
        return None
    if targets.ndim != 2:
        raise InputError("belongs to regression, but the targets are class labels", key=KEY)
    transform = fit(kind, targets, threads=threads)
    constant = (targets == targets[:1]).all(axis=0)
    if constant.any():
        column = int(np.argmax(constant))
        raise InputError(
            f"target {column} is {targets[0, column]:g} in every training sample: it cannot be brought to a "
            "scale, and there is nothing to learn",
            key=KEY,
        )
    return transform


def restored(transform: Transform | None, outputs: Array) -> Array:
    """Outputs [rows, outputs] of a network in the units of the original targets: y = t s + m.

    Example:
        >>> restored(None, np.ones((1, 1))).tolist()
        [[1.0]]
    """
    if transform is None:
        return outputs
    values = outputs.reshape(len(outputs), -1) * transform.deviation + transform.mean
    return values.astype(outputs.dtype).reshape(outputs.shape)


def transformed(transform: Transform | None, targets: Array, dtype: DTypeLike, threads: int = 1) -> Array:
    """Targets [samples, outputs] as the network sees them, of type `dtype`."""
    return (
        targets.astype(dtype) if transform is None else transform.apply(targets, dtype=dtype, threads=threads)
    )


class RegressionErrors:
    """Sums of errors, slice by slice, for root mean squared error, mean absolute error and R2.

        rmse = sqrt(sum e^2 / n)    mae = sum |e| / n    r2 = 1 - sum e^2 / sum (y - mean y)^2

    for each output, averaged over outputs as scikit-learn does, in original units. All are sums in float64 in
    the order of the samples. Where all targets of an output are equal, its R2 is 1 if every prediction is
    right, or else 0.

    Args:
        targets: of all samples [samples, outputs], as the network sees them.
        transform: that they were transformed by; only its scale matters, as an error has no offset.

    Example:
        >>> errors = RegressionErrors(np.array([[1.0], [3.0]]))
        >>> errors.add(0, np.array([[1.0], [2.0]]))
        >>> errors.metrics()["r2"]
        0.5
    """

    def __init__(self, targets: Array, transform: Transform | None = None) -> None:
        self._targets = targets
        self._scale = 1.0 if transform is None else transform.deviation
        self._squares: NDArray[np.float64] = np.zeros(targets.shape[1])
        self._magnitudes: NDArray[np.float64] = np.zeros(targets.shape[1])

    def add(self, begin: int, outputs: Array) -> None:
        """Takes in the outputs of the samples from `begin` on."""
        self.add_sums(*self.sums(begin, outputs))

    def sums(self, begin: int, outputs: Array) -> tuple[list[float], list[float]]:
        """Sums of magnitudes and of squares of the errors of the samples from `begin` on, for each output."""
        outputs = outputs.reshape(len(outputs), -1)
        errors = outputs.astype(np.float64) - self._targets[begin : begin + len(outputs)]
        magnitudes = np.abs(errors).sum(axis=0)
        return magnitudes.tolist(), np.square(errors, out=errors).sum(axis=0).tolist()

    def add_sums(self, magnitudes: Sequence[float], squares: Sequence[float]) -> None:
        """Takes in what `sums` gave, here or on another rank; in the order of the samples."""
        self._magnitudes += np.asarray(magnitudes)
        self._squares += np.asarray(squares)

    def metrics(self) -> dict[str, float]:
        """rmse, mae and r2 of all samples."""
        count = len(self._targets)
        about = self._targets - self._targets.mean(axis=0, dtype=np.float64)
        spread = np.square(about, out=about).sum(axis=0)
        flat = np.where(self._squares == 0, 1.0, 0.0)
        shares = np.divide(self._squares, spread, out=1.0 - flat, where=spread > 0)
        return {
            "rmse": float(np.mean(np.sqrt(self._squares / count) * self._scale)),
            "mae": float(np.mean(self._magnitudes / count * self._scale)),
            "r2": float(np.mean(1.0 - shares)),
        }


def check_targets(transform: Transform) -> Transform:
    """The transform, if it can be one of targets.

    Raises:
        InputError: it cannot.
    """
    if transform.kind not in get_args(TargetKind) or transform.mean.ndim != 1:
        raise InputError(
            f"is {transform.kind!r} of shape {list(transform.mean.shape)}", key="target_preprocessing"
        )
    return transform
