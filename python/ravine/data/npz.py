"""NumPy's NPY and NPZ files: reading without pickles, from any source.

Source: NEP 1, "A simple file format for NumPy arrays". The header is matched against the grammar of what
NumPy writes for plain arrays rather than evaluated.
"""

from __future__ import annotations

import difflib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ravine.data.files import DEFLATE_RATIO, open_regular
from ravine.data.mapping import map_open_file
from ravine.data.signatures import NPY
from ravine.errors import InputError

MAXIMUM_HEADER = 1 << 16
MAXIMUM_DIMENSIONS = 32
READ_BYTES = 1 << 20
_FIELD = re.compile(
    r"\s*'(descr|fortran_order|shape)'\s*:\s*(?:'([^']{1,16})'|(True|False)|\(([0-9, ]{0,1024})\))\s*,?\s*"
)
_PLAIN_TYPE = re.compile(r"[<>|=][biuf][1248]")
_NOT_A_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read the named arrays of an NPZ file.

    Args:
        path: the file, compressed or not.
        keys: names of arrays in it.

    Raises:
        InputError: not an NPZ file, damaged, a name that is not in it (the names that are there are listed),
            or an array of Python objects.

    Example:
        >>> arrays = read_npz(Path("points.npz"), ["inputs", "targets"])  # doctest: +SKIP
    """
    return {key: array for key, array in _with_archive(path, keys)}


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in an NPZ file, in its order."""
    file, _ = open_regular(path)
    with file, _open_archive(file, path) as archive:
        return _names(archive)


def read_npy(path: Path) -> NDArray[Any]:
    """Read an NPY file; as `read_npz`, for the one array of the file."""
    file, size = open_regular(path)
    with file:
        try:
            return _read_array(file, size)
        except InputError as error:
            raise InputError(error.message, file=path) from error
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
        except MemoryError as error:
            raise InputError("does not fit in memory", file=path) from error


def map_npy(path: Path) -> NDArray[Any]:
    """An NPY file mapped into memory: values are read when they are looked at, and need not fit in memory.

    The array is the file's own, read-only. Values of another byte order, or in Fortran's order, cannot be
    used where they lie: such a file is read as `read_npy` does.

    Args:
        path: the file; its header must promise as many bytes as it holds.

    Raises:
        InputError: as `read_npy`.

    Example:
        >>> images = map_npy(Path("images.npy"))  # doctest: +SKIP
    """
    file, size = open_regular(path)
    with file:
        try:
            element, fortran_order, shape = _read_header(file, size)
            turned = fortran_order and len(shape) > 1
            if element.isnative and not turned and size > file.tell():
                return map_open_file(file, path, element, file.tell(), shape)
        except InputError as error:
            raise InputError(error.message, file=path) from error
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be mapped into memory: {error}", file=path) from error
    return read_npy(path)


def _with_archive(path: Path, keys: Sequence[str]) -> list[tuple[str, NDArray[Any]]]:
    file, size = open_regular(path)
    with file, _open_archive(file, path) as archive:
        return [(key, _read_member(archive, key, path, size)) for key in keys]


def _open_archive(file: io.BufferedIOBase, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (*_NOT_A_ZIP, OSError, OverflowError, LookupError) as error:
        raise InputError(
            f"is not a whole NPZ file ({error}); write it with numpy.savez", file=path
        ) from error


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist()]


def _read_member(archive: zipfile.ZipFile, key: str, path: Path, size: int) -> NDArray[Any]:
    try:
        member = archive.getinfo(f"{key}.npy")
    except KeyError:
        names = _names(archive)
        close = difflib.get_close_matches(key, names, n=1)
        hint = f" did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(repr(name) for name in names[:10]) + (", ..." if len(names) > 10 else "")
        raise InputError(f"has no array {key!r};{hint} it holds {listed or 'nothing'}", file=path) from None

    stored = member.compress_type == zipfile.ZIP_STORED
    if not stored and member.compress_type != zipfile.ZIP_DEFLATED:
        raise InputError(f"array {key!r} uses a compression that NumPy does not write", file=path)
    limit = member.compress_size if stored else member.compress_size * DEFLATE_RATIO
    if member.compress_size > size or member.file_size > limit:
        raise InputError(
            f"array {key!r} promises {member.file_size:,} bytes, which the {size:,} bytes of the file cannot "
            "hold; it is damaged",
            file=path,
        )
    try:
        with archive.open(member) as stream:
            return _read_array(stream, member.file_size)
    except InputError as error:
        raise InputError(f"array {key!r} {error.message}", file=path) from error
    except (*_NOT_A_ZIP, zlib.error, OSError) as error:
        raise InputError(f"array {key!r} is damaged ({error})", file=path) from error
    except MemoryError as error:
        raise InputError(f"array {key!r} does not fit in memory", file=path) from error


def _read_header(
    stream: io.BufferedIOBase | IO[bytes], size: int
) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Type, order and shape of an NPY stream that holds `size` bytes, as many as they need."""
    start = stream.read(8)
    if len(start) < 8 or start[:6] != NPY or start[6] not in (1, 2, 3):
        raise InputError(f"is not in NPY format: it starts with {start[:8].hex(' ') or 'nothing'}")
    length_bytes = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(length_bytes), "little")
    if length > min(MAXIMUM_HEADER, size):
        raise InputError(f"has an NPY header of {length:,} bytes, more than any plain array needs")
    header = stream.read(length)
    if len(header) < length:
        raise InputError("is truncated in its NPY header")
    element, fortran_order, shape = _parse_header(header.decode("latin-1"))

    promised = math.prod(shape) * element.itemsize
    held = size - 8 - length_bytes - length
    if promised != held:
        what = "is truncated" if promised > held else "has bytes to spare"
        raise InputError(
            f"{what}: its header promises {promised:,} bytes ({element.name} {list(shape)}), "
            f"there are {held:,}"
        )
    return element, fortran_order, shape


def _read_array(stream: io.BufferedIOBase | IO[bytes], size: int) -> NDArray[Any]:
    """Read one NPY stream that holds `size` bytes."""
    element, fortran_order, shape = _read_header(stream, size)
    promised = math.prod(shape) * element.itemsize
    values = np.empty(math.prod(shape), element)
    buffer = values.view(np.uint8).data
    total = 0
    while total < promised:
        piece = stream.read(min(READ_BYTES, promised - total))
        if not piece:
            raise InputError(f"is truncated: {total:,} of {promised:,} bytes are there")
        buffer[total : total + len(piece)] = piece
        total += len(piece)
    if not element.isnative:
        values = values.byteswap(inplace=True).view(element.newbyteorder("="))
    return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


def _parse_header(text: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Type, order and shape of a header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }."""
    body = text.strip()
    if not (body.startswith("{") and body.endswith("}")):
        raise InputError("has an NPY header that cannot be read")
    body = body[1:-1]
    fields: dict[str, tuple[str | None, str | None, str | None]] = {}
    position = 0
    while position < len(body):
        match = _FIELD.match(body, position)
        if match is None or match[1] in fields:
            break
        fields[match[1]] = (match[2], match[3], match[4])
        position = match.end()
    nothing = (None, None, None)
    descr = fields.get("descr", nothing)[0]
    order = fields.get("fortran_order", nothing)[1]
    dimensions = fields.get("shape", nothing)[2]
    if "'descr': [" in body:
        raise InputError("is a structured array; save each field as an array of its own")
    if position < len(body) or descr is None or order is None or dimensions is None:
        raise InputError("has an NPY header that cannot be read")
    if "O" in descr:
        raise InputError("holds Python objects, which would need pickle; save it with a numeric dtype")
    try:
        element = np.dtype(descr) if _PLAIN_TYPE.fullmatch(descr) else None
        shape = tuple(int(number) for number in dimensions.split(",") if number.strip())
    except (TypeError, ValueError):
        element, shape = None, ()
    if element is None:
        raise InputError(f"has type {descr!r}; integers and floats up to 64 bits can be used")
    if len(shape) > MAXIMUM_DIMENSIONS or 0 in shape:
        raise InputError(f"has shape {list(shape)}: there are no values, or too many dimensions")
    return element, order == "True", shape
