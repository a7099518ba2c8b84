"""The lock of a run folder: held by the kernel for a process, so that no crash can leave it behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ravine.errors import RunError
from ravine.runs import files

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_REQUEST = struct.Struct("hhqqi")
_LARGEST_TEXT = 64 << 10
_held: set[int] = set()


def _request(kind: int) -> bytes:
    """For the whole file."""
    return _REQUEST.pack(kind, os.SEEK_SET, 0, 0, 0)


def _close_inherited() -> None:
    """A forked child must not keep the parent's lock alive after the parent's death."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_inherited)


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock; ``pid`` 0 where the file does not tell."""

    pid: int = 0
    host: str = ""
    command: str = ""
    started: float = 0.0

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{where} ({self.command}) since {since}"


def _command_line() -> str:
    program = Path(sys.argv[0] if sys.argv else "python").name
    return shlex.join(["ravine" if program == "__main__.py" else program, *sys.argv[1:]])


def _described(descriptor: int) -> Holder:
    try:
        text = os.pread(descriptor, _LARGEST_TEXT, 0)
        value = json.loads(text)
        return Holder(int(value["pid"]), str(value["host"]), str(value["command"]), float(value["started"]))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Holder()


def holder(path: Path) -> Holder | None:
    """Who holds the lock, or None; looks without taking it, so that it never disturbs a starting run."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = _REQUEST.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _request(fcntl.F_WRLCK)))
        return None if answer[0] == fcntl.F_UNLCK else _described(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[Holder]:
    """Holds the lock for the block; the kernel releases it when the process ends in any way.

    Args:
        path: the lock file; it stays, only its lock comes and goes.

    Raises:
        RunError: another process, or another part of this one, holds it; or the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise RunError(files.cause(error), file=path) from error
    owner = os.getpid()
    try:
        own = Holder(owner, socket.gethostname(), _command_line(), time.time())
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_WRLCK))
            _held.add(descriptor)
            text = json.dumps(own.__dict__).encode()[:_LARGEST_TEXT]
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise RunError(
                    f"is in use by {_described(descriptor)}; stop it first, or choose another name",
                    file=path.parent,
                ) from None
            raise RunError(f"cannot be locked: {files.cause(error)}", file=path) from error
        yield own
    finally:
        # A forked child that leaves this block has no descriptor of its own to close.
        if os.getpid() == owner:
            _held.discard(descriptor)
            with suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK))
            with suppress(OSError):
                os.close(descriptor)
