"""What tells one file, or one version of a file, from another."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ravine.data.files import open_regular
from ravine.errors import InputError

READ_BYTES = 1 << 20

Stamp = tuple[int, int, int]  # size in bytes, times of the last change of content and of anything, in ns


def stamp_of(status: os.stat_result) -> Stamp:
    """What changes when a file does."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def digest(content: bytes | memoryview) -> str:
    """BLAKE2b, 128 bits, hexadecimal."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """`digest` of a whole file.

    Raises:
        InputError: it cannot be read.
    """
    sums = hashlib.blake2b(digest_size=16)
    file, _ = open_regular(path)
    with file:
        try:
            while block := file.read(READ_BYTES):
                sums.update(block)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
    return sums.hexdigest()
