"""Samples with their targets, checked once when they are made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine.data._gather import gather_rows
from ravine.errors import InputError

Array = NDArray[Any]
Task = Literal["classification", "regression"]

INPUT_TYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
FLOAT_TYPES = INPUT_TYPES[1:]
CHECK_BYTES = 1 << 20  # finite values are looked for in blocks that stay in the cache


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets of the same samples.

    Args:
        inputs: uint8, float32 or float64 [samples, *shape], C-contiguous and finite.
        targets: int32 class labels [samples] in [0, classes), or float32 or float64 [samples, outputs].
        classes: number of classes; 0 for regression.
        class_names: one name a class, or empty.
        name: what messages call it.
        weights: float32 or float64 [samples], at least 0: what each sample counts in the mean loss
            sum w l / sum w; None where all count the same.

    Raises:
        InputError: no samples, unequal numbers of samples, a value that is not finite, a label out of range
            or a negative weight; the row is named.

    Example:
        >>> Dataset(np.zeros((2, 3), np.float32), np.array([0, 1], np.int32), classes=2).input_shape
        (3,)
    """

    inputs: Array
    targets: Array
    classes: int = 0
    class_names: tuple[str, ...] = ()
    name: str = "data"
    weights: Array | None = None

    def __post_init__(self) -> None:
        check_inputs(self.inputs, self.name)
        samples = len(self.inputs)
        if len(self.targets) != samples:
            raise InputError(
                f"there are {samples:,} inputs and {len(self.targets):,} targets; give one target a sample",
                key=self.name,
            )
        if self.weights is not None:
            check_weights(self.weights, samples, self.name)
        if not self.targets.flags.c_contiguous:
            raise InputError("targets must be C-contiguous", key=self.name)
        if self.classes > 0:
            if self.targets.dtype != np.int32 or self.targets.ndim != 1:
                raise InputError(
                    f"class labels must be int32 [samples], not {self.targets.dtype} "
                    f"{list(self.targets.shape)}",
                    key=self.name,
                )
            self.require_classes(self.classes)
            if self.class_names and len(self.class_names) != self.classes:
                raise InputError(
                    f"{len(self.class_names)} class names for {self.classes} classes", key=self.name
                )
        else:
            if self.targets.dtype not in FLOAT_TYPES or self.targets.ndim != 2:
                raise InputError(
                    "regression targets must be float32 or float64 [samples, outputs], not "
                    f"{self.targets.dtype} {list(self.targets.shape)}",
                    key=self.name,
                )
            check_finite(self.targets, "targets", self.name)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.inputs)

    @property
    def task(self) -> Task:
        """What the targets ask for."""
        return "classification" if self.classes > 0 else "regression"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.inputs.shape[1:]

    @property
    def outputs(self) -> int:
        """Values a network must give for each sample: the classes, or the columns of the targets."""
        return self.classes if self.classes > 0 else int(self.targets.shape[1])

    def require_classes(self, classes: int) -> None:
        """Raise InputError, with the row, where a label is not in [0, classes)."""
        check_labels(self.targets, classes, self.name)

    def take(self, indices: NDArray[np.int64], *, name: str | None = None, threads: int = 1) -> Dataset:
        """A new data set of the samples at `indices`, in that order."""
        inputs = np.empty((len(indices), *self.input_shape), self.inputs.dtype)
        targets = np.empty((len(indices), *self.targets.shape[1:]), self.targets.dtype)
        gather_rows(self.inputs, indices, inputs, threads)
        gather_rows(self.targets, indices, targets, threads)
        weights = None
        if self.weights is not None:
            weights = np.empty(len(indices), self.weights.dtype)
            gather_rows(self.weights, indices, weights, threads)
        return Dataset(inputs, targets, self.classes, self.class_names, name or self.name, weights)

    def content_hash(self) -> str:
        """BLAKE2b (256 bits, hexadecimal) over types, shapes and bytes: equal data, equal hash."""
        return content_hash(self.inputs, self.targets, self.weights)


def as_dataset(
    inputs: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    task: Task | Literal["auto"] = "auto",
    classes: int = 0,
    class_names: Sequence[str] = (),
    name: str = "data",
) -> Dataset:
    """Make a data set from arrays: integer targets are class labels, floating targets are values.

    Args:
        inputs: numbers [samples, *shape]; [samples] becomes [samples, 1], and images [samples, height, width]
            become [samples, height, width, 1].
        targets: integers [samples] or [samples, 1], or floats [samples] or [samples, outputs].
        weights: numbers [samples], at least 0; see `Dataset`.
        task: says what the targets are where their type does not.
        classes: number of classes; 0: the names given, or else the largest label plus one.
        class_names: one name a class.
        name: what messages call the data.

    Raises:
        InputError: the arrays cannot be used; the row is named.

    Example:
        >>> as_dataset([[0.0, 1.0], [1.0, 0.0]], [1, 0]).task
        'classification'
    """
    input_array = as_inputs(inputs, name)
    weight_array = None if weights is None else _as_weights(weights, name)
    target_array = np.asarray(targets)
    if target_array.dtype.kind not in "biuf" or target_array.dtype.itemsize > 8:
        raise InputError(f"targets must be integers or floats, not {target_array.dtype}", key=name)
    if target_array.ndim not in (1, 2) or target_array.size == 0:
        raise InputError(
            f"targets have shape {list(target_array.shape)}, expected [samples] or [samples, outputs]",
            key=name,
        )
    if task == "auto":
        task = "regression" if target_array.dtype.kind == "f" else "classification"
    if task == "regression":
        if target_array.ndim == 1:
            target_array = target_array[:, np.newaxis]
        working = np.float32 if target_array.dtype == np.float32 else np.float64
        values = np.ascontiguousarray(target_array, working)
        return Dataset(input_array, values, name=name, weights=weight_array)

    labels = as_labels(target_array, name)
    known = classes or len(class_names) or max(int(labels.max()) + 1, 1)
    return Dataset(input_array, labels, known, tuple(class_names), name, weight_array)


def as_inputs(inputs: ArrayLike, name: str = "inputs") -> Array:
    """Inputs as a contiguous array of one of the working types, with at least one feature axis.

    uint8 and bool stay bytes; types that float32 holds exactly become float32; wider integers become float64.
    """
    array = np.asarray(inputs)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "biuf" or size > 8:
        raise InputError(f"inputs must be integers or floats, not {array.dtype}", key=name)
    if array.ndim == 0:
        raise InputError("inputs must be an array [samples, features...], not a single number", key=name)
    if kind == "b" or (kind == "u" and size == 1):
        working: type[np.generic] = np.uint8
    elif size <= 2 or (kind == "f" and size == 4):
        working = np.float32
    else:
        working = np.float64
    if array.ndim == 1:
        array = array[:, np.newaxis]
    elif array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array, working)


def check_inputs(inputs: Array, name: str) -> None:
    """Raise InputError unless inputs are [samples, *shape], contiguous, finite, of a working type."""
    if inputs.dtype not in INPUT_TYPES:
        raise InputError(f"inputs must be uint8, float32 or float64, not {inputs.dtype}", key=name)
    if inputs.ndim < 2 or not inputs.flags.c_contiguous:
        raise InputError(
            f"inputs must be a C-contiguous array [samples, features...], not {list(inputs.shape)}", key=name
        )
    if len(inputs) == 0:
        raise InputError("there are no samples", key=name)
    if inputs.size == 0:
        raise InputError(f"a sample of shape {list(inputs.shape[1:])} holds no values", key=name)
    check_finite(inputs, "inputs", name)


def check_finite(array: Array, what: str, name: str) -> None:
    """Raise InputError, with row and position, where an array [rows, ...] holds NaN or Inf."""
    if array.dtype.kind != "f":
        return
    rows = array.reshape(len(array), -1)
    block = max(1, CHECK_BYTES // max(1, rows.itemsize * rows.shape[1]))
    for begin in range(0, len(rows), block):
        finite = np.isfinite(rows[begin : begin + block])
        if not finite.all():
            row, column = (int(index) for index in np.argwhere(~finite)[0])
            value = rows[begin + row, column]
            position = [int(index) for index in np.unravel_index(column, array.shape[1:])]
            raise InputError(
                f"{what}{position} is {'NaN' if np.isnan(value) else value}; "
                "remove the sample or replace the value",
                key=name,
                row=begin + row,
            )


def check_labels(labels: Array, classes: int, name: str) -> None:
    """Raise InputError, with the row, where a label is not in [0, classes)."""
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"label {int(labels[row])} is outside 0..{classes - 1} ({classes} classes)", key=name, row=row
        )


def check_weights(weights: Array, samples: int, name: str) -> None:
    """Raise InputError unless there is a weight a sample, finite and at least 0; the row is named."""
    if weights.dtype not in FLOAT_TYPES or weights.ndim != 1 or not weights.flags.c_contiguous:
        raise InputError(
            "sample weights must be contiguous float32 or float64 [samples], not "
            f"{weights.dtype} {list(weights.shape)}",
            key=name,
        )
    if len(weights) != samples:
        raise InputError(
            f"there are {len(weights):,} sample weights for {samples:,} samples; give one a sample", key=name
        )
    usable = np.isfinite(weights) & (weights >= 0)
    if not usable.all():
        row = int(np.argmin(usable))
        raise InputError(
            f"the sample weight is {weights[row]}, expected a finite number of at least 0", key=name, row=row
        )


def _as_weights(weights: ArrayLike, name: str) -> Array:
    """Weights as floats [samples]; [samples, 1] is taken too."""
    array = np.asarray(weights)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InputError(f"sample weights must be numbers, not {array.dtype}", key=name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float32 else np.float64)


def as_labels(targets: Array, name: str) -> NDArray[np.int32]:
    """Class labels as int32 [samples]."""
    if targets.ndim == 2:
        if targets.shape[1] != 1:
            raise InputError(
                f"class labels have shape {list(targets.shape)}, expected one class number a sample", key=name
            )
        targets = targets[:, 0]
    if targets.dtype.kind == "f":
        check_finite(targets[:, np.newaxis], "targets", name)
        broken = targets != np.floor(targets)
        if broken.any():
            row = int(np.argmax(broken))
            raise InputError(
                f"label {targets[row]} is not a whole number; "
                "values to approximate need a loss over values, such as squared_error",
                key=name,
                row=row,
            )
    limit = np.iinfo(np.int32).max
    outside = (targets < 0) | (targets >= limit)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"label {targets[row]} is outside 0..{limit - 1}; number the classes from 0", key=name, row=row
        )
    return np.ascontiguousarray(targets, np.int32)


def content_hash(*arrays: Array | None) -> str:
    """BLAKE2b (256 bits, hexadecimal) over types, shapes and bytes: equal data, equal hash."""
    digest = hashlib.blake2b(digest_size=32)
    for array in arrays:
        if array is None:
            continue
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.data.cast("B"))
    return digest.hexdigest()
