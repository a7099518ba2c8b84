"""The machines of a job, as a hostfile or a list names them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ravine.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@-]*[A-Za-z0-9_])?")
_KEYS = {"slots", "max_slots", "max-slots"}
_LARGEST_FILE = 1 << 20


class Host(NamedTuple):
    """A machine, and how many ranks it takes."""

    name: str
    slots: int


def hosts_of_list(text: str) -> list[Host]:
    """The hosts of ``--hosts``: names with numbers of ranks, 1 without.

    Raises:
        InputError: a name or a number that cannot be one, a host given twice.

    Example:
        >>> hosts_of_list("a:2,b")
        [Host(name='a', slots=2), Host(name='b', slots=1)]
    """
    hosts = []
    for part in text.split(","):
        name, colon, slots = part.strip().partition(":")
        hosts.append(_host("--hosts", None, name, slots if colon else "1"))
    return _without_doubles("--hosts", hosts)


def hosts_of_file(path: Path) -> list[Host]:
    r"""The hosts of a hostfile: a line each, `name slots=2` as of Open MPI or `name:2` as of MPICH.

    A line without a number is one rank. What follows # is a comment.

    Raises:
        InputError: the file cannot be read, or a line cannot be understood; the line is named, from 1.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        ...     _ = file.write("# two laptops\nanna slots=2\nbert:4\n")
        ...     file.flush()
        ...     hosts_of_file(Path(file.name))
        [Host(name='anna', slots=2), Host(name='bert', slots=4)]
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError("is no hostfile: it is larger than 1 MiB", file=path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError("is no hostfile: it is not text in UTF-8", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or str(error)).lower()}", file=path) from None
    hosts = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        name, colon, slots = words[0].partition(":")
        slots = slots if colon else "1"
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if key not in _KEYS or not equals:
                raise InputError(
                    f"'{word}' is unknown; expected a name and slots=N, such as `node1 slots=2`",
                    file=path,
                    key=f"line {number}",
                )
            if key == "slots":
                slots = value
        hosts.append(_host(path, number, name, slots))
    if not hosts:
        raise InputError("names no host; expected lines such as `node1 slots=2`", file=path)
    return _without_doubles(path, hosts)


def _host(source: object, line: int | None, name: str, slots: str) -> Host:
    key = None if line is None else f"line {line}"
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot name a host", file=source, key=key)
    if not slots.isdecimal() or not 1 <= int(slots) <= 1 << 20:
        raise InputError(
            f"'{slots}' is no number of ranks for host '{name}'; expected at least 1", file=source, key=key
        )
    return Host(name, int(slots))


def _without_doubles(source: object, hosts: list[Host]) -> list[Host]:
    names = [host.name for host in hosts]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"host '{name}' is given twice; give it once, with all its slots", file=source)
    return hosts
