"""What data hold, as one number: a run on other data has another one."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.data._gather import gather_rows
from ravine.data.mapping import mapped_file

BLOCK_BYTES = 1 << 20
MOST_BYTES = 1 << 30  # of a memory map that holds more, rows at equal distances are hashed


def content_hash(
    inputs: NDArray[Any], *others: NDArray[Any] | None, rows: NDArray[np.int64] | None = None
) -> str:
    """BLAKE2b (256 bits, hexadecimal) over types, shapes and bytes: equal data, equal hash.

    Of a memory map that holds more than 1 GiB, so many bytes in rows at equal distances count.

    Args:
        inputs: [stored samples, *shape], C-contiguous.
        others: what belongs to the samples, C-contiguous, such as targets and weights.
        rows: those rows of `inputs` that are meant, in their order; None: all.

    Example:
        >>> values = np.arange(6.0).reshape(3, 2)
        >>> content_hash(values, rows=np.array([2, 0])) == content_hash(values[[2, 0]])
        True
    """
    digest = hashlib.blake2b(digest_size=32)
    shape = (len(inputs) if rows is None else len(rows), *inputs.shape[1:])
    digest.update(f"{inputs.dtype.str}{shape};".encode())
    row_bytes = max(1, math.prod(shape[1:]) * inputs.itemsize)
    step = 1
    if mapped_file(inputs) is not None:
        step = max(1, -(-shape[0] * row_bytes // MOST_BYTES))
    if rows is None and step == 1:
        digest.update(inputs.data.cast("B"))
    else:
        chosen = np.arange(shape[0], dtype=np.int64) if rows is None else rows
        chosen = np.ascontiguousarray(chosen[::step])
        block = max(1, BLOCK_BYTES // row_bytes)
        buffer = np.empty((min(block, len(chosen)), *shape[1:]), inputs.dtype)
        for begin in range(0, len(chosen), block):
            part = chosen[begin : begin + block]
            gather_rows(inputs, part, buffer[: len(part)])
            digest.update(buffer[: len(part)].data.cast("B"))
    for array in others:
        if array is None:
            continue
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.data.cast("B"))
    return digest.hexdigest()
