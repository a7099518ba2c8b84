"""Tars and zips of pictures from any source, read without unpacking to the disk."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ravine.data.files import DEFLATE_RATIO, open_regular
from ravine.data.images.arrangement import MAXIMUM_NAME, is_left_by_programs
from ravine.data.images.decode import MAXIMUM_BYTES
from ravine.data.images.stamp import READ_BYTES, Stamp, file_digest, stamp_of
from ravine.errors import InputError

# Pictures are compressed already: a gzip file of them that grows like this holds something else.
GROWTH_LIMIT = 100
GROWTH_FROM = 64 << 20

Loader = Callable[[], bytes]


class _Archive:
    """What tars and zips have in common."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, int] = {}  # sizes
        self._folders: dict[str, None] = {}

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def folders(self) -> tuple[str, ...]:
        return tuple(self._folders)

    def where(self, name: str) -> str:
        return shown(f"{self.root}: {name}")

    def stamps(self, names: Sequence[str]) -> list[Stamp]:
        try:
            return [stamp_of(self.root.stat())]
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=self.root) from error

    def digests(self, names: Sequence[str]) -> list[str] | None:
        return [file_digest(self.root)]

    def _add(self, written: str, size: int, *, is_folder: bool) -> str | None:
        """Takes a member in; its name without "./", or None for a folder or what programs leave."""
        if len(written) > MAXIMUM_NAME:
            raise InputError(
                f"has a name of {len(written):,} characters: {written[:60]!r}...", file=self.root
            )
        parts = written.replace("\\", "/").split("/")
        if written.startswith(("/", "\\")) or ".." in parts or parts[0][1:2] == ":" or "\0" in written:
            raise InputError(
                f"has a member {written!r}, whose name leads out of the archive; do not trust it, or pack it "
                "again with plain names",
                file=self.root,
            )
        name = "/".join(part for part in parts if part not in ("", "."))
        if not name or is_left_by_programs(name):
            return None
        if is_folder:
            self._folders[name] = None
            return None
        if name in self._files:
            raise InputError(f"holds {name!r} twice; pack it again", file=self.root)
        self._files[name] = size
        return name

    def _checked_size(self, name: str, size: int) -> None:
        if size > MAXIMUM_BYTES:
            raise InputError(
                f"has {size:,} bytes, more than any picture that is decoded ({MAXIMUM_BYTES:,})",
                file=self.where(name),
            )


class Tar(_Archive):
    """A plain tar: its files are read from where they lie."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._places: dict[str, int] = {}
        file, size = open_regular(root)
        with (
            file,
            _as_input_errors(root),
            tarfile.open(fileobj=_Clipped(file, size), mode="r:", tarinfo=_Header) as archive,
        ):
            for member in archive:
                _refuse_special(member)
                name = self._add(member.name, member.size, is_folder=member.isdir())
                archive.members.clear()  # type: ignore[attr-defined]  # else all headers are kept
                if name is None:
                    continue
                if member.offset_data + member.size > size:
                    raise InputError(f"is truncated: {name} goes on behind the end; copy it again")
                self._places[name] = member.offset_data

    def contents(self, names: Sequence[str]) -> Iterator[tuple[int, Loader]]:
        file, _ = open_regular(self.root)
        with file:
            for place, name in enumerate(names):
                size = self._files[name]
                self._checked_size(name, size)
                try:
                    content = os.pread(file.fileno(), size, self._places[name])
                except OSError as error:
                    raise InputError(
                        f"cannot be read: {error.strerror or error}", file=self.where(name)
                    ) from error
                if len(content) < size:
                    raise InputError("is truncated; copy it again", file=self.where(name))
                yield place, lambda content=content: content  # type: ignore[misc]


class GzipTar(_Archive):
    """A tar in gzip: read through from its start, once to see what it holds and once for the pictures."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        for member, _ in self._members():
            self._add(member.name, member.size, is_folder=member.isdir())

    def contents(self, names: Sequence[str]) -> Iterator[tuple[int, Loader]]:
        places = {name: place for place, name in enumerate(names)}
        seen = _Archive(self.root)
        for member, stream in self._members():
            name = seen._add(member.name, member.size, is_folder=member.isdir())
            place = None if name is None else places.get(name)
            if place is None or name is None:
                continue
            self._checked_size(name, member.size)
            content = stream.read(member.size)
            if len(content) < member.size:
                raise InputError("is truncated; copy it again", file=self.where(name))
            yield place, lambda content=content: content  # type: ignore[misc]

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        file, size = open_regular(self.root)
        with file, _as_input_errors(self.root):
            stream = _Inflated(file, size)
            with tarfile.open(fileobj=stream, mode="r|", bufsize=READ_BYTES, tarinfo=_Header) as archive:  # type: ignore[call-overload]
                for member in archive:
                    _refuse_special(member)
                    content = archive.extractfile(member)
                    yield member, content if content is not None else io.BytesIO()
                    archive.members.clear()
            while stream.read(READ_BYTES):  # to gzip's checksum
                pass


class Zip(_Archive):
    """A zip, with stored or deflated members."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        file, size = open_regular(root)
        with file, _as_input_errors(root), zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise InputError(f"has a link {member.filename!r}; pack the file itself")
                name = self._add(member.filename, member.file_size, is_folder=member.is_dir())
                if name is None:
                    continue
                if member.flag_bits & 1:
                    raise InputError(f"member {name!r} is encrypted; pack it again without a password")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"member {name!r} uses a compression other than deflate; pack it again")
                stored = member.compress_type == zipfile.ZIP_STORED
                limit = member.compress_size * (1 if stored else DEFLATE_RATIO)
                if member.compress_size > size or member.file_size > limit:
                    raise InputError(
                        f"member {name!r} promises {member.file_size:,} bytes, which the {size:,} bytes of "
                        "the file cannot hold; it is damaged"
                    )

    def contents(self, names: Sequence[str]) -> Iterator[tuple[int, Loader]]:
        file, _ = open_regular(self.root)
        with file, _as_input_errors(self.root), zipfile.ZipFile(file) as archive:
            members = {
                "/".join(part for part in member.filename.split("/") if part not in ("", ".")): member
                for member in archive.infolist()
                if not member.is_dir()
            }
            for place, name in enumerate(names):
                member = members.get(name.replace("\\", "/"))
                if member is None:
                    raise InputError(f"no longer holds {name!r}; it was changed while it was read")
                self._checked_size(name, member.file_size)
                try:
                    content = archive.read(member)
                except Exception as error:  # of zipfile and zlib, for damaged members
                    raise InputError(f"is damaged ({error}); copy it again", file=self.where(name)) from error
                yield place, lambda content=content: content  # type: ignore[misc]


def shown(name: str) -> str:
    """A name in one line."""
    return name if name.isprintable() else repr(name)[1:-1]


@contextmanager
def _as_input_errors(root: Path) -> Iterator[None]:
    """Errors of tarfile, zipfile and zlib in one line with the archive's name."""
    try:
        yield
    except InputError as error:
        raise InputError(error.message, file=error.file or root) from error
    except MemoryError as error:
        raise InputError("does not fit in memory", file=root) from error
    except Exception as error:  # they raise many kinds for damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"cannot be read: {error.strerror}", file=root) from error
        raise InputError(f"is truncated or damaged ({error}); copy it again", file=root) from error


def _refuse_special(member: tarfile.TarInfo) -> None:
    if member.issym() or member.islnk():
        raise InputError(f"has a link {member.name!r}; pack the file itself (tar --dereference)")
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise InputError(f"has a member {member.name!r} that is neither a plain file nor a folder")


class _Header(tarfile.TarInfo):
    """Headers whose damage is an error: tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise InputError(
                f"is truncated or damaged at byte {archive.offset:,} ({error}); copy it again"
            ) from error


class _Clipped(io.RawIOBase):
    """A file from which no more is asked at once than it holds, whatever a header claims."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count < 0 else min(count, left))

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(min(place, self._size) if whence == 0 else place, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Inflated:
    """A gzip file inflated as it is read, as far as its growth is that of pictures."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._stream = gzip.GzipFile(fileobj=file)
        self._most = size * DEFLATE_RATIO
        self._total = 0

    def read(self, count: int) -> bytes:
        content = self._stream.read(min(count, READ_BYTES, self._most))
        self._total += len(content)
        if self._total > GROWTH_FROM and self._total > GROWTH_LIMIT * self._file.tell():
            raise InputError(
                f"grows to more than {GROWTH_LIMIT} times its size when it is unpacked, unlike pictures; do "
                "not trust it, or use a plain .tar"
            )
        return content
