"""The bytes of a table: of a file, plain or compressed, or of one file in an archive."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from pathlib import Path, PurePosixPath
from typing import IO

from ravine.data.files import open_regular
from ravine.data.signatures import BYTES, kind_of_bytes
from ravine.errors import InputError

READ_BYTES = 1 << 22
# Text of tables shrinks to a tenth, seldom to a fiftieth; what grows much further was made to fill memory.
LARGEST_GROWTH = 200
FREE_BYTES = 1 << 26


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Args:
        name: of the file in messages; a file in an archive follows a colon.
        data: all bytes, decompressed.
        suffix: of the file, such as ".csv", without ".gz".
    """

    name: str
    data: bytes
    suffix: str


def read_content(path: Path, member: str = "") -> Content:
    """Read a plain file, a gzip file, or one file of a tar or zip archive, as the first bytes say.

    Args:
        path: of a regular file.
        member: of an archive, the file to read; empty: the only one that it holds.

    Raises:
        InputError: the file cannot be read, is damaged, or grows beyond what tables do; or there is no such
            member, or a choice of several.
    """
    file, size = open_regular(path)
    with file:
        try:
            kind = kind_of_bytes(file.read(BYTES))
            file.seek(0)
            if kind == "gzip":
                return _gzip(file, path, size, member)
            if kind == "zip":
                return _zip(file, path, size, member)
            return _opened(file.read(), path, member, path.suffix.lower())
        except InputError as error:
            raise InputError(error.message, file=error.file or path, key=error.key) from None
        except MemoryError as error:
            raise InputError("does not fit in memory", file=path) from error
        except Exception as error:  # zipfile, tarfile and decompressors raise many kinds for damaged files
            if isinstance(error, OSError) and not isinstance(error, BadGzipFile):
                raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
            raise InputError(f"is damaged: {error}", file=path) from error


def _gzip(file: io.BufferedReader, path: Path, size: int, member: str) -> Content:
    with GzipFile(fileobj=file) as stream:
        data = _limited(stream, size)
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    return _opened(data, path, member, suffix)


def _opened(data: bytes, path: Path, member: str, suffix: str) -> Content:
    """Bytes that may be a tar archive."""
    if kind_of_bytes(data[:BYTES]) == "tar":
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = {one.name: one for one in archive if one.isfile()}
            chosen = _chosen(list(files), member)
            if files[chosen].issparse():  # a header can promise any number of zeros
                raise InputError(f"{chosen!r} is a sparse file, which no table is; pack it again without -S")
            stream = archive.extractfile(files[chosen])
            assert stream is not None  # of a regular file
            content = stream.read()
        return Content(f"{path}:{chosen}", content, PurePosixPath(chosen).suffix.lower())
    if member:
        raise InputError("is no archive, so there is no file in it to name", key="data.table.member")
    return Content(str(path), data, suffix)


def _zip(file: io.BufferedReader, path: Path, size: int, member: str) -> Content:
    with zipfile.ZipFile(file) as archive:
        chosen = _chosen([one.filename for one in archive.infolist() if not one.is_dir()], member)
        if archive.getinfo(chosen).flag_bits & 1:
            raise InputError(f"{chosen!r} is encrypted; unpack the archive and give the file", file=path)
        with archive.open(chosen) as stream:
            data = _limited(stream, size)
    return Content(f"{path}:{chosen}", data, PurePosixPath(chosen).suffix.lower())


def _limited(stream: IO[bytes] | GzipFile, size: int) -> bytes:
    """All that a compressed stream holds, unless it grows beyond reason."""
    most = max(FREE_BYTES, LARGEST_GROWTH * size)
    pieces, total = [], 0
    while piece := stream.read(READ_BYTES):
        pieces.append(piece)
        total += len(piece)
        if total > most:
            raise InputError(
                f"its {size:,} bytes unpack to more than {most:,}, as a decompression bomb does; "
                "if it is in order, unpack it and give the file"
            )
    return b"".join(pieces)


def _chosen(names: list[str], member: str) -> str:
    """The member that is asked for, or the only one."""
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"holds {name!r}, a path that leads out of the archive; it is not to be trusted")
    key = "data.table.member"
    listed = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    if member:
        if member not in names:
            raise InputError(f"there is no {member!r} in the archive, but {listed or 'nothing'}", key=key)
        return member
    # What archivers of macOS put beside a file is not a table.
    visible = [
        name for name in names if not PurePosixPath(name).name.startswith(".") and "__MACOSX/" not in name
    ]
    if len(visible) == 1:
        return visible[0]
    if not visible:
        raise InputError("is an archive without files")
    raise InputError(f"is an archive of {len(names):,} files: {listed}; choose one with `member`", key=key)
