"""What is wrong with arrays of samples: every error names the row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.data.mapping import mapped_file
from ravine.errors import InputError

Array = NDArray[Any]

INPUT_TYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
FLOAT_TYPES = INPUT_TYPES[1:]
CHECK_BYTES = 1 << 20  # finite values are looked for in blocks that stay in the cache


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
    if mapped_file(inputs) is None:
        check_finite(inputs, "inputs", name)


def check_finite(
    array: Array, what: str, name: str, *, rows: NDArray[np.int64] | None = None, file: object | None = None
) -> None:
    """Raise InputError, with row and position, where an array [rows, ...] holds NaN or Inf.

    Args:
        array: what is checked.
        what, name: of it, for messages.
        rows: what its rows are called, where they are not 0, 1, ...
        file: that they are of.
    """
    if array.dtype.kind != "f":
        return
    values = array.reshape(len(array), -1)
    block = max(1, CHECK_BYTES // max(1, values.itemsize * values.shape[1]))
    for begin in range(0, len(values), block):
        finite = np.isfinite(values[begin : begin + block])
        if not finite.all():
            row, column = (int(index) for index in np.argwhere(~finite)[0])
            value = values[begin + row, column]
            position = [int(index) for index in np.unravel_index(column, array.shape[1:])]
            raise InputError(
                f"{what}{position} is {'NaN' if np.isnan(value) else value}; "
                "remove the sample or replace the value",
                file=file,
                key=name,
                row=begin + row if rows is None else int(rows[begin + row]),
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
