"""Arrays of other libraries as NumPy arrays, without a copy where that can be, and without importing them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ravine.errors import InputError

_CPU_DEVICES = (1, 3)  # of DLPack: kDLCPU, and kDLCUDAHost, which is pinned memory of the CPU


def as_array(values: ArrayLike, name: str) -> np.ndarray[Any, Any]:
    """Whatever holds an array of numbers: NumPy, sequences, pandas, PyTorch, JAX, anything with DLPack.

    A tensor's gradient is left behind. Values are shared, not copied, where NumPy has their type and layout.

    Args:
        values: an array, a sequence, a pandas frame or series, or an object with `__dlpack__` (the Python
            array API standard) on the CPU.
        name: what messages call it.

    Raises:
        InputError: an array on another device, of a type that NumPy does not have, columns of a frame that
            hold no numbers, or rows of unequal length.

    Example:
        >>> as_array([[1, 2], [3, 4]], "inputs").shape
        (2, 2)
    """
    if isinstance(values, np.ndarray):
        if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
            raise InputError(
                "is a masked array with masked values; fill them or leave their rows out", key=name
            )
        return np.asarray(values)
    if hasattr(values, "__dlpack__"):
        return _from_dlpack(values, name)
    if hasattr(values, "dtypes") and hasattr(values, "columns"):
        _check_frame(values, name)
    try:
        array = np.asarray(values)
    except Exception as error:  # sequences and other libraries raise many kinds
        raise InputError(f"is no array: {error}", key=name) from error
    if array.dtype == object and hasattr(values, "isna"):  # pandas' types that know missing values
        missing = np.asarray(values.isna()).reshape(len(array), -1).any(axis=1)
        if missing.any():
            row = int(np.argmax(missing))
            raise InputError("a value is missing; fill it or leave the row out", key=name, row=row)
    return array


def _from_dlpack(values: Any, name: str) -> np.ndarray[Any, Any]:
    kind = type(values).__module__.partition(".")[0]
    try:
        device = int(values.__dlpack_device__()[0])
    except Exception as error:
        raise InputError(f"cannot be used as an array of {kind}: {error}", key=name) from error
    if device not in _CPU_DEVICES:
        where = getattr(values, "device", "another device")
        move = "tensor.cpu()" if kind == "torch" else "numpy.asarray or a copy on the CPU"
        raise InputError(f"is an array of {kind} on {where}; bring it to the CPU with {move}", key=name)
    detach = getattr(values, "detach", None)
    if detach is not None:  # a tensor that requires a gradient is not handed over otherwise
        values = detach()
    try:
        return np.from_dlpack(values)
    except Exception:  # a layout or type without a counterpart; the library may still convert it
        try:
            return np.asarray(values)
        except Exception as error:
            element = str(getattr(values, "dtype", "an unknown type"))
            advice = "; convert it to float32" if "bfloat16" in element else ""
            raise InputError(
                f"is an array of {kind} ({element}) that NumPy cannot take: {error}{advice}", key=name
            ) from error


def _check_frame(frame: Any, name: str) -> None:
    """Raises InputError for the first column of a pandas frame that holds no numbers."""
    for column, element in frame.dtypes.items():
        if getattr(element, "kind", "O") not in "biuf":
            raise InputError(
                f"column {column!r} is of type {element}, not numbers; convert or drop it, or give the file "
                'to source = "table", which has settings for categories and missing values',
                key=name,
            )
