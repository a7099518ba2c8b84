"""Opening data files that nobody vouches for."""

from __future__ import annotations

import difflib
import io
import os
import re
import stat
from pathlib import Path

from ravine.errors import InputError

# Deflate spends two bits at least on 258 bytes: a stream grows at most 1032 times (zlib technical notes).
DEFLATE_RATIO = 1032


_VARIABLE = re.compile(r"\$(\$|\w+|\{[^}]*\})")


def expanded(written: str) -> str:
    """A path as a user wrote it, with `~` and environment variables put in; `$$` is a dollar sign.

    A variable or a home folder that does not exist is left as it is written.

    Example:
        >>> expanded("prices/$$1.npz")
        'prices/$1.npz'
    """

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else os.environ.get(found[1].strip("{}"), found[0])

    return os.path.expanduser(_VARIABLE.sub(value, written))  # noqa: PTH111 - never raises


def unexpanded(path: str) -> str:
    """What `expanded` makes this very path of."""
    return path.replace("$", "$$")


def locate(path: str | Path, base_directory: Path) -> Path:
    """The regular file that a path means, literally.

    A relative path starts at `base_directory`, and a file is found plain or with `.gz`, whichever is there.

    Raises:
        InputError: no such file (similar names are offered), or not a regular file.
    """
    path = base_directory / path
    if not path.name:
        raise InputError("is not the path of a file", file=path)
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    for candidate in (path, other):
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be used as a path: {error}", file=path) from error
    if path.exists():
        raise InputError("is not a regular file; give the path of a file", file=path)
    raise InputError(f"does not exist{_suggestion(path)}", file=path)


def folder_or_file(path: str | Path, base_directory: Path) -> Path:
    """The folder or the file that a path means.

    Raises:
        InputError: there is neither.
    """
    place = base_directory / path
    try:
        if place.is_dir():
            return place
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be used as a path: {error}", file=place) from error
    return locate(path, base_directory)


def open_regular(path: Path) -> tuple[io.BufferedReader, int]:
    """Open a regular file and give its size in bytes; pipes and devices, which can hang, are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise InputError(f"does not exist{_suggestion(path)}", file=path) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read: {reason}", file=path) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise InputError("is not a regular file; give the path of a file", file=path)
    return os.fdopen(descriptor, "rb"), status.st_size


def _suggestion(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"; the folder {path.parent} does not exist either"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
