"""Decoded pixels on disk: an NPY file and an index in JSON, checked whenever they are used.

The index holds the settings, the name, size, times and hash of every file that was decoded, and a hash of
every block of pixels. What does not agree with the files as they are now, or with itself, is not used.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine.data.files import locate
from ravine.data.images.decode import pillow
from ravine.data.images.settings import ImageSettings
from ravine.data.images.stamp import Stamp, digest, file_digest
from ravine.data.mapping import map_open_file
from ravine.errors import InputError, RavineWarning

VERSION = 1
BLOCK_BYTES = 4 << 20
# A file that changed this shortly before it was looked at could change again without new times.
CLOCK_NANOSECONDS = 2_000_000_000
AHEAD = 4  # tasks a thread
_TEMPORARY = re.compile(r"\.(.+)\.(\d+)\.tmp")


Task = TypeVar("Task")
Result = TypeVar("Result")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A picture as it was decoded: name of its file, part, label."""

    name: str
    part: int
    label: int


class Index(msgspec.Struct, frozen=True):
    """What a cache says of its pixels.

    Args:
        key: of the cache: its version, the settings, and Pillow's version.
        root: the folder or archive.
        shape: of the pixels [pictures, height, width, channels].
        class_names: one a class.
        pictures: in the order of the pixels.
        ignored: files that are no pictures: how many, and the first few.
        stamps: size and times of each file, or of the archive.
        digests: hash of each file, or of the archive.
        confirmed: when they were last looked at, in ns.
        blocks: hash of each block of the pixels.
    """

    key: str
    root: str
    shape: tuple[int, int, int, int]
    class_names: tuple[str, ...]
    pictures: tuple[Entry, ...]
    ignored: tuple[int, tuple[str, ...]]
    stamps: tuple[Stamp, ...]
    digests: tuple[str, ...]
    confirmed: int
    blocks: tuple[str, ...]


class _Sealed(msgspec.Struct, frozen=True):
    """An index with the hash of its text."""

    hash: str
    index: msgspec.Raw


@dataclass(frozen=True)
class Cache:
    """The two files that belong to a folder or archive and to settings."""

    folder: Path
    root: Path
    key: str

    @property
    def pixels_path(self) -> Path:
        hashed = digest(f"{self.root}\0{self.key}".encode(errors="surrogateescape"))
        return self.folder / f"{_stem(self.root)}-{hashed[:16]}.npy"

    @property
    def index_path(self) -> Path:
        return self.pixels_path.with_suffix(".json")

    def index(self) -> Index | None:
        """The index, if there is a whole one for this root and these settings."""
        try:
            content = self.index_path.read_bytes()
        except OSError:
            return None
        try:
            sealed = msgspec.json.decode(content, type=_Sealed)
            if digest(bytes(sealed.index)) != sealed.hash:
                raise ValueError("its hash is wrong")
            index = msgspec.json.decode(sealed.index, type=Index)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            self._warn(f"its index cannot be read ({error})")
            return None
        if index.key != self.key or index.root != str(self.root):
            return None
        return index

    def pixels(self, index: Index, threads: int) -> NDArray[np.uint8] | None:
        """The pixels, mapped from the file, if all of their blocks are as they were written."""
        header, total = _header(index.shape), math.prod(index.shape)
        try:
            with self.pixels_path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != len(header) + total:
                    self._warn("it has another length than was written")
                    return None
                if file.read(len(header)) != header:
                    self._warn("its header was changed")
                    return None
                if _block_digests(file.fileno(), len(header), total, threads) != index.blocks:
                    self._warn("its bytes were changed")
                    return None
                return map_open_file(file, self.pixels_path, np.dtype(np.uint8), len(header), index.shape)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._warn(f"it cannot be read ({error})")
            return None

    def write_index(self, index: Index) -> None:
        """Writes the index whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        body = msgspec.json.encode(index)
        content = msgspec.json.encode(_Sealed(digest(body), msgspec.Raw(body)))
        with _whole(self.index_path) as descriptor:
            _write_at(descriptor, memoryview(content), 0)

    def write_pixels(
        self,
        shape: tuple[int, int, int, int],
        tasks: Iterator[Callable[[], tuple[int, str, NDArray[np.uint8]]]],
        threads: int,
        progress: Callable[[int], None],
    ) -> tuple[list[str], tuple[str, ...]]:
        """Runs the tasks in threads and writes the picture of each at its place; the whole file or none.

        Args:
            shape: [pictures, height, width, channels].
            tasks: give the place of a picture, the hash of its file, and its pixels; few wait at a time.
            threads: the most threads.
            progress: called with the number of pictures done.

        Returns:
            The hash of each file, by place, and of each block of pixels.

        Raises:
            InputError: of a task, or because the disk is full or cannot be written.
        """
        header, sample = _header(shape), math.prod(shape[1:])
        total = sample * shape[0]
        self._check_space(len(header) + total)
        digests = [""] * shape[0]
        with suppress(OSError):
            self.index_path.unlink()  # it must not speak for other pixels
        with _whole(self.pixels_path) as descriptor:
            os.truncate(descriptor, len(header) + total)
            _write_at(descriptor, memoryview(header), 0)

            def run(task: Callable[[], tuple[int, str, NDArray[np.uint8]]]) -> tuple[int, str]:
                place, hashed, pixels = task()
                _write_at(descriptor, pixels.data.cast("B"), len(header) + place * sample)
                return place, hashed

            for done, (place, hashed) in enumerate(in_threads(run, tasks, threads), 1):
                digests[place] = hashed
                progress(done)
            blocks = _block_digests(descriptor, len(header), total, threads)
        return digests, blocks

    def _check_space(self, needed: int) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self.folder)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise InputError(
                f"the folder for decoded pictures cannot be made or used: {error.strerror or error}; name "
                "another one with data.images.cache",
                file=error.filename or self.folder,
            ) from error
        if free < needed:
            raise InputError(
                f"decoded pictures need {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free; name a "
                "folder with more room with data.images.cache, or choose a smaller data.images.size",
                file=self.folder,
            )

    def _warn(self, what: str) -> None:
        warnings.warn(
            f"{self.pixels_path}: {what}; the pictures are decoded again", RavineWarning, stacklevel=4
        )


def cache_of(root: Path, settings: ImageSettings) -> Cache:
    """The cache of a folder or archive with these settings."""
    resolved = root.resolve()
    version = pillow().__version__
    labels = file_digest(locate(settings.labels, Path())) if settings.labels else ""
    key = json.dumps([VERSION, settings.size, settings.resize, settings.colour, labels, version])
    return Cache(Path(settings.cache) if settings.cache else default_folder(), resolved, key)


def default_folder() -> Path:
    """ravine/images in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
    return home / "ravine" / "images"


def needs_hash(now: Stamp, then: Stamp, confirmed: int) -> bool:
    """Whether size and times leave open that a file is another than before."""
    return tuple(now) != tuple(then) or max(now[1:]) > confirmed - CLOCK_NANOSECONDS


def now() -> int:
    """The time in ns, as files have it."""
    return time.time_ns()


def in_threads(run: Callable[[Task], Result], tasks: Iterator[Task], threads: int) -> Iterator[Result]:
    """The results of tasks in their order; few tasks are ahead of the results, so that memory stays small."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(max(1, threads), "ravine-images")
    try:
        for task in tasks:
            waiting.append(pool.submit(run, task))
            if len(waiting) >= AHEAD * max(1, threads):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _header(shape: Sequence[int]) -> bytes:
    """An NPY header of bytes in this shape (NEP 1), with the values behind it aligned to 64 bytes."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    padding = -(10 + len(text) + 1) % 64
    body = f"{text}{' ' * padding}\n".encode("ascii")
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def _block_digests(descriptor: int, begin: int, total: int, threads: int) -> tuple[str, ...]:
    """Hashes of the blocks of a file; more threads hash more blocks at a time."""

    def hashed(place: int) -> str:
        return digest(os.pread(descriptor, min(BLOCK_BYTES, begin + total - place), place))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return tuple(pool.map(hashed, range(begin, begin + total, BLOCK_BYTES)))


def _write_at(descriptor: int, content: memoryview, place: int) -> None:
    while content:
        count = os.pwrite(descriptor, content, place)
        content, place = content[count:], place + count


@contextmanager
def _whole(path: Path) -> Iterator[int]:
    """A file to write that gets its name at the end of the block, or vanishes if the block raises."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise InputError(
                f"cannot be written: {error.strerror or error}; name another folder with data.images.cache",
                file=path,
            ) from error
        raise


def _remove_abandoned(folder: Path) -> None:
    """Removes what killed processes left behind."""
    for entry in folder.iterdir():
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None:
            continue
        try:
            os.kill(int(match[2]), 0)
        except ProcessLookupError:
            with suppress(OSError):
                entry.unlink()
        except (OSError, OverflowError):
            pass


def _stem(root: Path) -> str:
    """A name that says what the cache is of."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", root.name)[:60] or "images"
