"""Arrays whose values lie in a file, and are read when they are asked for."""

from __future__ import annotations

import io
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped_file(array: NDArray[Any]) -> Path | None:
    """The file that an array, or what it is a view of, is a memory map of; None where it lies in memory.

    A map that does not know the name of its file, such as an `mmap.mmap`, gives "memory map".

    Example:
        >>> mapped_file(np.zeros(3)) is None
        True
    """
    owner: Any = array
    while owner is not None:
        if isinstance(owner, np.memmap) and owner.filename is not None:
            return Path(owner.filename)
        if isinstance(owner, mmap.mmap):
            return Path("memory map")
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return None


def map_open_file(
    file: io.BufferedIOBase, path: Path, element: np.dtype[Any], begin: int, shape: tuple[int, ...]
) -> NDArray[Any]:
    """The values of an open file from a byte on, read-only; the map outlives the file object.

    Args:
        file: open for reading, so that it is the very file that was checked.
        path: its name, for messages.
        element: type of a value.
        begin: where the first value lies.
        shape: of the array.
    """
    mapped = np.memmap(file, element, "r", begin, shape or (1,))
    mapped.filename = str(path)  # which a descriptor does not know
    return mapped.reshape(shape)
