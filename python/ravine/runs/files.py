"""Files that are whole or absent, even when the process is killed or the disk fills up."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_COPY_CHUNK = 8 << 20
_ADVICE = {
    errno.ENOSPC: "free some space, then continue with `ravine resume`",
    errno.EDQUOT: "free some of the quota, then continue with `ravine resume`",
    errno.EIO: "check the disk and copy the run folder to another one",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that you may write",
    errno.EPERM: "choose a folder that you may write",
    errno.EMFILE: "close some files or raise the limit with `ulimit -n`",
    errno.ENFILE: "close some files: the whole system has too many open",
    errno.ENOENT: "check the path",
}


class FileSystem:
    """The calls to the operating system, one method each, so that a test can make any of them fail."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o666)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        return os.preadv(descriptor, [buffer], offset)

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)

    def synchronize(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        target.hardlink_to(source)

    def remove(self, path: Path) -> None:
        path.unlink()


system = FileSystem()


def cause(error: OSError) -> str:
    """Says in a few words why a file operation failed and what to do about it."""
    text = error.strerror or str(error) or type(error).__name__
    text = text[0].lower() + text[1:]
    advice = _ADVICE.get(error.errno or 0)
    return f"{text}; {advice}" if advice else text


class OpenFile:
    """An open file read and written at explicit offsets; short reads and writes are continued."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self._descriptor = system.open(path, flags)

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def write(self, data: bytes | memoryview, offset: int) -> None:
        view = memoryview(data).cast("B")
        while view:
            count = system.write(self._descriptor, view, offset)
            if count <= 0:
                raise OSError(errno.EIO, "the device takes no more bytes", str(self.path))
            view, offset = view[count:], offset + count

    def read(self, buffer: bytearray | memoryview, offset: int) -> int:
        """Fills the buffer from the offset; returns the count of bytes, fewer only at the end of the file."""
        view = memoryview(buffer).cast("B")
        total = 0
        while total < len(view):
            count = system.read(self._descriptor, view[total:], offset + total)
            if count <= 0:
                break
            total += count
        return total

    def synchronize(self) -> None:
        system.synchronize(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            system.close(descriptor)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Gives the path to errors of calls that only know a descriptor."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """Opens a file for reading; raises OSError with the path."""
    with _named(path):
        file = OpenFile(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield file
        finally:
            file.close()


def temporary_path(path: Path) -> Path:
    """The name under which this process prepares ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def whole_file(path: Path) -> Iterator[OpenFile]:
    """Opens a temporary file that becomes ``path`` at the end of the block, or vanishes if the block raises.

    A file of that name that was there before stays whole until the new one replaces it.

    Raises:
        OSError: with the path, if any step fails; ``path`` is then as it was.
    """
    temporary = temporary_path(path)
    with _named(path):
        # A killed process of the same number may have left this name, perhaps as a second name of a
        # good file: remove the name, never truncate what it points to.
        _remove_if_there(temporary)
        file: OpenFile | None = None
        try:
            file = OpenFile(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            yield file
            file.synchronize()
            file.close()
            system.rename(temporary, path)
        except BaseException:
            if file is not None:
                with suppress(OSError):
                    file.close()
            with suppress(OSError):
                _remove_if_there(temporary)
            raise
        synchronize_folder(path.parent)


def write_whole(path: Path, content: bytes | Callable[[OpenFile], None]) -> None:
    """Writes a file whole or not at all: temporary file, fsync, rename, fsync of the folder.

    Args:
        path: the file; an older one is replaced.
        content: the bytes, or a function that writes them into the temporary file.

    Raises:
        OSError: with the path, if any step fails; the older file is then untouched.
    """
    with whole_file(path) as file:
        if isinstance(content, bytes):
            file.write(content, 0)
        else:
            content(file)


def link_whole(source: Path, target: Path) -> None:
    """Makes ``target`` a second name of ``source`` in one step; a copy where there are no hard links."""
    temporary = temporary_path(target)
    with _named(target):
        _remove_if_there(temporary)
        try:
            system.link(source, temporary)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            write_whole(target, lambda output: _copy(source, output))
            return
        try:
            system.rename(temporary, target)
        finally:
            # A rename between two names of one file does nothing and leaves both.
            with suppress(OSError):
                _remove_if_there(temporary)
        synchronize_folder(target.parent)


def _copy(source: Path, output: OpenFile) -> None:
    buffer = memoryview(bytearray(_COPY_CHUNK))
    with opened(source) as file:
        offset = 0
        while count := file.read(buffer, offset):
            output.write(buffer[:count], offset)
            offset += count


def synchronize_folder(folder: Path) -> None:
    """Makes renames in the folder survive a loss of power."""
    with _named(folder):
        descriptor = system.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            system.synchronize(descriptor)
        finally:
            system.close(descriptor)


def remove(path: Path) -> None:
    """Removes a file; one that is already gone is no error."""
    with _named(path):
        _remove_if_there(path)


def _remove_if_there(path: Path) -> None:
    with suppress(FileNotFoundError):
        system.remove(path)


def remove_temporary(folder: Path) -> None:
    """Removes what killed writers left; only for who holds the run's lock."""
    with _named(folder):
        for entry in sorted(folder.iterdir()):
            if _TEMPORARY.fullmatch(entry.name):
                _remove_if_there(entry)
