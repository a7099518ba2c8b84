"""IDX files, the format of MNIST: reading, plain or gzip, from any source.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits": two zero bytes, a type byte, the
number of dimensions, each dimension as a big-endian 32-bit integer, then the values, big-endian.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ravine.data.files import DEFLATE_RATIO, open_regular
from ravine.data.signatures import GZIP
from ravine.errors import InputError

ELEMENT_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAXIMUM_DIMENSIONS = 32
READ_BYTES = 1 << 18


def read_idx(path: Path) -> NDArray[Any]:
    """Read an IDX file, gzip or plain (told apart by the first bytes), into an array of native byte order.

    The size that the header promises is compared with the bytes that are there before anything is allocated.

    Args:
        path: the file.

    Returns:
        uint8, int8, int16, int32, float32 or float64, with the dimensions of the header.

    Raises:
        InputError: missing, truncated, damaged, with bytes to spare, or not an IDX file.

    Example:
        >>> images = read_idx(Path("train-images-idx3-ubyte.gz"))  # doctest: +SKIP
    """
    file, size = open_regular(path)
    with file:
        try:
            magic = file.read(2)
            file.seek(0)
            if magic == GZIP:
                # Every gzip member holds at least 18 bytes beside its deflate stream.
                return _read(_GzipStream(file, size), max(0, size - 18) * DEFLATE_RATIO)
            return _read(_PlainStream(file, size), size)
        except InputError as error:
            raise InputError(error.message, file=path) from error
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
        except MemoryError as error:
            raise InputError("does not fit in memory", file=path) from error


class _Stream(Protocol):
    kind: str

    def fill(self, buffer: memoryview) -> int:
        """Read until the buffer is full or the stream ends; give the number of bytes read."""

    def truncated(self, promised: int, found: int) -> InputError:
        """The error for a stream that ended early."""


class _PlainStream:
    kind = "file"

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        self.file = file
        self.size = size

    def fill(self, buffer: memoryview) -> int:
        total = 0
        while total < len(buffer):
            count = self.file.readinto(buffer[total:])
            if not count:
                break
            total += count
        return total

    def truncated(self, promised: int, found: int) -> InputError:
        return InputError(
            f"the IDX file is truncated after {self.size:,} bytes: its header promises {promised:,}; "
            "download it again"
        )


class _GzipStream:
    """Inflates straight into the caller's buffer and checks every member's checksum and length."""

    kind = "gzip file"

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        self.file = file
        self.size = size
        self.inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.pending = b""

    def fill(self, buffer: memoryview) -> int:
        total = 0
        while total < len(buffer):
            if self.inflate.eof:
                # Gzip files may be concatenated; anything else behind a member is refused.
                following = self.inflate.unused_data
                if len(following) < len(GZIP):
                    following += self.file.read(READ_BYTES)
                if not following:
                    break
                if not following.startswith(GZIP):
                    raise InputError("the gzip file has bytes behind its end that do not belong to it")
                self.inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                self.pending = following
            if not self.pending:
                self.pending = self.file.read(READ_BYTES)
                if not self.pending:
                    raise InputError(
                        f"the gzip file is truncated after {self.size:,} bytes; download it again"
                    )
            try:
                piece = self.inflate.decompress(self.pending, min(len(buffer) - total, READ_BYTES * 4))
            except zlib.error as error:
                raise InputError(f"the gzip file is damaged ({error}); download it again") from error
            self.pending = self.inflate.unconsumed_tail
            buffer[total : total + len(piece)] = piece
            total += len(piece)
        return total

    def truncated(self, promised: int, found: int) -> InputError:
        return InputError(
            f"the IDX data inside the gzip file end after {found:,} bytes: the header promises {promised:,}; "
            "download it again"
        )


def _read(stream: _Stream, limit: int) -> NDArray[Any]:
    """Read header and values of a stream that can hold at most `limit` bytes."""
    start = _exactly(stream, 4)
    if start[:2] != b"\0\0" or start[2] not in ELEMENT_TYPES or not 1 <= start[3] <= MAXIMUM_DIMENSIONS:
        raise InputError(
            f"is not an IDX file: it starts with {bytes(start).hex(' ')}, expected 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in ELEMENT_TYPES)}) "
            f"and 1..{MAXIMUM_DIMENSIONS} dimensions"
        )
    element = np.dtype(ELEMENT_TYPES[start[2]])
    shape = struct.unpack(f">{start[3]}I", _exactly(stream, 4 * start[3]))
    if 0 in shape:
        raise InputError(f"the IDX header says {list(shape)}: there are no values")
    header = 4 + 4 * len(shape)
    promised = math.prod(shape) * element.itemsize
    if header + promised > limit:
        raise InputError(
            f"the IDX header promises {header + promised:,} bytes ({list(shape)}), "
            f"but a {stream.kind} of this size holds at most {limit:,}; it is truncated or damaged, "
            "download it again"
        )
    values = np.empty(promised // element.itemsize, element)
    found = stream.fill(values.view(np.uint8).data)
    if found < promised:
        raise stream.truncated(header + promised, header + found)
    if stream.fill(memoryview(bytearray(1))):
        raise InputError(
            f"holds more bytes than the {header + promised:,} that its IDX header promises ({list(shape)}); "
            "it is damaged, download it again"
        )
    native = values.dtype.newbyteorder("=")
    if values.dtype != native:
        values = values.byteswap(inplace=True).view(native)
    return values.reshape(shape)


def _exactly(stream: _Stream, count: int) -> bytes:
    buffer = bytearray(count)
    found = stream.fill(memoryview(buffer))
    if found < count:
        raise InputError(f"is not an IDX file: its header ends after {found} of {count} bytes")
    return bytes(buffer)
