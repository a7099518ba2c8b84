"""Data sets from their publishers: downloaded, resumed, and checked before a file gets its name."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.data.progress import ProgressLine, progress_line
from ravine.errors import InputError

READ_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0  # without a byte
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class RemoteFile:
    """A file that a publisher offers.

    Args:
        name: that it gets.
        size: in bytes.
        sha256: of its content, hexadecimal.
        urls: where it is, the first that answers is taken.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class RemoteDataset:
    """Files that belong together.

    Args:
        name: of the data set.
        title: what it is, in a few words.
        files: of it.
        section: the `[data]` part of an experiment, with `{folder}` for the folder of the files.
        licence: under which it is given, as far as it is known.
    """

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    section: str
    licence: str


class _UnusableError(Exception):
    """One mirror failed; the next may not."""


def default_folder() -> Path:
    """$RAVINE_DATA, or ravine/data in the user's data folder ($XDG_DATA_HOME, or ~/.local/share)."""
    given = os.environ.get("RAVINE_DATA", "")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_DATA_HOME", "")
    home = Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()
    return home / "ravine" / "data"


def download(dataset: RemoteDataset, folder: Path) -> list[Path]:
    """Brings the files of a data set into a folder; those that are there and right stay as they are.

    A file grows under a name of its own (`NAME.part`), is taken up where it was broken off, and gets its name
    when its SHA-256 is right.

    Args:
        dataset: what to bring.
        folder: made where it is missing.

    Returns:
        The paths of the files.

    Raises:
        InputError: no mirror gave the right bytes, or the folder cannot be written; it says how to place the
            files by hand.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror or error}; choose another with --to", file=folder
        ) from error
    _check_room(dataset, folder)
    return [_download_file(dataset, file, folder) for file in dataset.files]


def by_hand(dataset: RemoteDataset, folder: Path) -> str:
    """How to place the files without Ravine: names, folder, addresses and checksums, in lines of text."""
    lines = [f"To place the files of {dataset.name} by hand, put them into {folder}:"]
    for file in dataset.files:
        lines.append(f"  {file.name}  ({file.size:,} bytes, SHA-256 {file.sha256})")
        lines.extend(f"    {url}" for url in file.urls)
    return "\n".join(lines)


def _check_room(dataset: RemoteDataset, folder: Path) -> None:
    """Raises InputError where the disk has no room for what is missing."""
    missing = sum(
        file.size - min(file.size, _size_of(folder / f"{file.name}.part"))
        for file in dataset.files
        if not (folder / file.name).exists()
    )
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < missing:
            raise InputError(
                f"has {free / 1e6:,.0f} MB free, and {missing / 1e6:,.0f} MB are missing; make room or "
                "choose another folder with --to",
                file=folder,
            )


def _download_file(dataset: RemoteDataset, file: RemoteFile, folder: Path) -> Path:
    path = folder / file.name
    if path.exists() or path.is_symlink():
        if _is_right(path, file):
            return path
        raise InputError(
            f"is there, but is not the file that was published (expected {file.size:,} bytes with SHA-256 "
            f"{file.sha256}); move it away, or choose another folder with --to",
            file=path,
        )
    failures = []
    for url in file.urls:
        try:
            _fetch(url, file, folder)
            return path
        except _UnusableError as failure:
            failures.append(f"{urllib.parse.urlsplit(url).netloc}: {failure}")
    raise InputError(
        f"could not be downloaded ({'; '.join(failures)}); place it by hand as {path} ({file.size:,} bytes, "
        f"SHA-256 {file.sha256}) and run the command again",
        file=file.name,
        key=dataset.name,
    )


def _fetch(url: str, file: RemoteFile, folder: Path) -> None:
    """One file from one mirror.

    Raises:
        _UnusableError: the mirror cannot be reached or has something else.
        InputError: the disk is full or cannot be written.
    """
    part = folder / f"{file.name}.part"
    for _ in range(2):  # once more from the start where what was there before is of another file
        begin = _size_of(part)
        if begin > file.size:
            _remove(part)
            begin = 0
        if begin < file.size:
            _append(url, file, part, begin)
        if _is_right(part, file):
            with _disk_errors(part):
                descriptor = os.open(part, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                part.replace(folder / file.name)
            return
        found = _size_of(part)
        if found < file.size:
            raise _UnusableError(f"the connection broke off after {found:,} of {file.size:,} bytes")
        _remove(part)
        if begin == 0:
            break
    raise _UnusableError("its SHA-256 is not that of the published file")


def _append(url: str, file: RemoteFile, part: Path, begin: int) -> None:
    """Reads on from `begin`, or from the start where the server cannot do that."""
    headers = {"User-Agent": "ravine"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        ) as answer:
            begin = _start(answer, begin, file)
            with (
                progress_line(f"downloading {file.name}", file.size, "bytes") as line,
                _disk_errors(part),
                part.open("r+b" if begin else "wb") as output,
            ):
                output.seek(begin)
                output.truncate()
                _copy(answer, output, begin, file, line)
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            _remove(part)
        raise _UnusableError(f"the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _UnusableError(_cause(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _UnusableError(_cause(error)) from error


def _start(answer: Any, begin: int, file: RemoteFile) -> int:
    """Where the answer begins in the file.

    Raises:
        _UnusableError: the server has a file of another length.
    """
    length = answer.headers.get("Content-Length", "")
    if begin and answer.status == http.client.PARTIAL_CONTENT:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != begin:
            raise _UnusableError("the server sends another part than was asked for")
    else:
        begin = 0
    if length.isdigit() and begin + int(length) != file.size:
        raise _UnusableError(f"it has {begin + int(length):,} bytes, expected {file.size:,}")
    return begin


def _copy(answer: Any, output: Any, begin: int, file: RemoteFile, line: ProgressLine) -> None:
    """Writes the answer as it comes, never more than the file has."""
    line.start_from(begin)
    done = begin
    while done < file.size:
        try:
            block = answer.read(min(READ_BYTES, file.size - done))
        except (OSError, http.client.HTTPException) as error:
            raise _UnusableError(f"the connection broke off after {done:,} of {file.size:,} bytes") from error
        if not block:
            return
        output.write(block)
        done += len(block)
        line.update(done)


class _disk_errors:  # noqa: N801 - used like a function
    """Errors of the disk as one line that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InputError(
                f"cannot be written: {error.strerror or error}; what was downloaded so far is kept where it "
                "could be written: make room or choose another folder with --to",
                file=self._path,
            ) from error


def _is_right(path: Path, file: RemoteFile) -> bool:
    """Whether a file has the published size and SHA-256."""
    try:
        if path.stat().st_size != file.size:
            return False
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError), _disk_errors(path):
        path.unlink()


def _cause(error: object) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
