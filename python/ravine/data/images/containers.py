"""Folders, tars and zips of pictures: what they hold."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ravine.data.files import open_regular
from ravine.data.images.archives import GzipTar, Loader, Tar, Zip, shown
from ravine.data.images.arrangement import is_left_by_programs
from ravine.data.images.decode import MAXIMUM_BYTES
from ravine.data.images.stamp import Stamp, stamp_of
from ravine.data.signatures import kind_of
from ravine.errors import InputError

MAXIMUM_DEPTH = 64  # folders within folders

_Places = tuple[tuple[int, int], ...]  # of folders: device and inode


class Container(Protocol):
    """What holds pictures.

    Args:
        root: the folder or the archive.
        files: names of regular files with "/" between folders.
        folders: names of folders, those without files included where the container has them.
    """

    root: Path

    @property
    def files(self) -> tuple[str, ...]: ...

    @property
    def folders(self) -> tuple[str, ...]: ...

    def contents(self, names: Sequence[str]) -> Iterator[tuple[int, Loader]]:
        """The place of each name and what reads its file, which other threads may call; in the fastest order.

        Raises:
            InputError: a file cannot be read, here or by the loader.
        """

    def where(self, name: str) -> str:
        """How messages call a file."""

    def stamps(self, names: Sequence[str]) -> list[Stamp]:
        """Size and times: one for each name, or for an archive one in all."""

    def digests(self, names: Sequence[str]) -> list[str] | None:
        """BLAKE2b of an archive, one in all; None for a folder, whose files are hashed as they are read."""


def open_container(path: Path) -> Container:
    """The container at a path: a folder, a zip, or a tar, plain or gzip, as its first bytes say.

    Raises:
        InputError: none of these, damaged, or with names that lead out of it, links, devices or encryption.
    """
    try:
        if path.is_dir():
            return Folder(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
    kind = kind_of(path)
    if kind == "zip":
        return Zip(path)
    if kind == "gzip":
        return GzipTar(path)
    if kind == "tar" or (path.stat().st_size and path.suffix.lower() == ".tar"):
        return Tar(path)
    raise InputError(
        "is neither a folder nor a .tar, .tar.gz or .zip of pictures; unpack or repack it", file=path
    )


class Folder:
    """Files below a folder; links are followed, as their owner means them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._stamps: dict[str, Stamp] = {}
        folders: list[str] = []
        self._scan(root, "", folders, ())
        self.files = tuple(self._stamps)
        self.folders = tuple(folders)

    @classmethod
    def of_file(cls, path: Path) -> Folder:
        """A folder as if it held one file alone."""
        alone = cls.__new__(cls)
        alone.root, alone.files, alone.folders = path.parent, (path.name,), ()
        alone._stamps = {}
        return alone

    def _scan(
        self, folder: Path, prefix: str, folders: list[str], above: tuple[tuple[int, int], ...]
    ) -> None:
        try:
            status = folder.stat()
            here = (status.st_dev, status.st_ino)
            if here in above:
                raise InputError("is a link to a folder that it lies in; remove the link", file=folder)
            if len(above) > MAXIMUM_DEPTH:
                raise InputError(f"lies more than {MAXIMUM_DEPTH} folders deep", file=folder)
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            for entry in entries:
                name = prefix + entry.name
                if is_left_by_programs(entry.name):
                    continue
                if entry.is_dir():
                    folders.append(name)
                    self._scan(folder / entry.name, f"{name}/", folders, (*above, here))
                    continue
                found_status = entry.stat()
                if not stat.S_ISREG(found_status.st_mode):
                    raise InputError("is not a regular file; remove it", file=folder / entry.name)
                self._stamps[name] = stamp_of(found_status)
        except OSError as error:
            at = error.filename or folder
            raise InputError(f"cannot be read: {error.strerror or error}", file=at) from error

    def contents(self, names: Sequence[str]) -> Iterator[tuple[int, Loader]]:
        for place, name in enumerate(names):
            yield place, lambda path=self.root / name: read_file(path)  # type: ignore[misc]

    def where(self, name: str) -> str:
        return shown(str(self.root / name))

    def stamps(self, names: Sequence[str]) -> list[Stamp]:
        return [self._stamps[name] for name in names]

    def digests(self, names: Sequence[str]) -> list[str] | None:
        return None


def read_file(path: Path) -> bytes:
    file, size = open_regular(path)
    with file:
        if size > MAXIMUM_BYTES:
            raise InputError(
                f"has {size:,} bytes, more than any picture that is decoded ({MAXIMUM_BYTES:,})", file=path
            )
        try:
            return file.read(MAXIMUM_BYTES)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
