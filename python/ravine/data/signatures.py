"""What a file is, by its first bytes; its name may say anything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ravine.data.files import open_regular

Kind = Literal["npy", "zip", "gzip", "tar", "png", "jpeg", "parquet", "idx", ""]

GZIP = b"\x1f\x8b"
NPY = b"\x93NUMPY"
_STARTS: dict[bytes, Kind] = {
    NPY: "npy",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # without entries; a table may begin with the letters PK
    GZIP: "gzip",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"PAR1": "parquet",
    b"\0\0": "idx",
}
_TAR, _TAR_AT = b"ustar", 257
BYTES = 512  # enough for all of them


def kind_of_bytes(start: bytes) -> Kind:
    """The kind of a file that begins with these bytes; "" where nothing is known of it.

    Example:
        >>> kind_of_bytes(b"PAR1....")
        'parquet'
    """
    for signature, kind in _STARTS.items():
        if start.startswith(signature):
            return kind
    return "tar" if start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR else ""


def kind_of(path: Path) -> Kind:
    """The kind of a regular file.

    Raises:
        InputError: it cannot be read.
    """
    file, _ = open_regular(path)
    with file:
        return kind_of_bytes(file.read(BYTES))
