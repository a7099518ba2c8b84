"""What ranks tell each other between native calls: small messages, and how all end where one fails."""

from __future__ import annotations

import socket
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine import _core, errors
from ravine.errors import InternalError, RavineError

GRACE_SECONDS = 2.0  # that a rank which fails waits for the others to hear of it, before it ends them
_FAILED, _VALUE = 0, 1


class Communicator(ABC):
    """The ranks of a job. What is collective is called by all of them, in the same order.

    Args:
        rank, size: which of how many.
        host: the name of the machine.
    """

    def __init__(self, rank: int, size: int, host: str) -> None:
        self.rank = rank
        self.size = size
        self.host = host
        self.hosts: list[str] = [host] * size  # of all ranks, by rank
        self.knows_cuda = False  # whether what it talks with may be given memory of GPUs

    def __str__(self) -> str:
        return self.names[self.rank]

    @property
    def names(self) -> list[str]:
        """What messages call each rank."""
        return [f"rank {rank} on {host}" for rank, host in enumerate(self.hosts)]

    @property
    def leads(self) -> bool:
        """This rank writes the run folder, has the terminal and decides."""
        return self.rank == 0

    @abstractmethod
    def exchange(self, message: bytes, seconds: float | None = None) -> list[bytes] | None:
        """All ranks' messages in order of rank; None if they have not come in some seconds. Collective."""

    @abstractmethod
    def broadcast_array(self, values: NDArray[Any]) -> None:
        """Makes the values of a contiguous array those of rank 0. Collective."""

    @abstractmethod
    def native(self, color: int) -> _core.Communicator | None:
        """What the core talks to the ranks of the same color with; None for one alone. Collective."""

    @abstractmethod
    def abort(self, code: int) -> None:
        """Ends all ranks at once, without their consent."""

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in order of rank. Collective.

        Args:
            value: of numbers, texts, bytes, lists and dictionaries.

        Raises:
            RavineError: a rank has failed instead of coming here.
        """
        if self.size == 1:
            return [value]
        messages = self.exchange(_encoded(_VALUE, value))
        assert messages is not None  # no time limit
        return self._values(messages)

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value. Collective.

        Args:
            value: as in `gather`; only that of rank 0 counts.
        """
        return self.gather(value if self.leads else None)[0]

    def barrier(self) -> None:
        """Returns when all ranks have come here. Collective."""
        self.gather(None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What goes wrong within on one rank goes wrong on all: the next time they talk, all raise its error.

        Such an error is `agreed`, and rank 0 tells of it. A rank that hears nothing of the others for two
        seconds, because they wait for it in a native call, raises its error alone: whoever catches it must
        `abort`.
        """
        try:
            yield
        except Exception as error:
            if self.size == 1 or getattr(error, "agreed", False):
                raise
            messages = self.exchange(_encoded(_FAILED, _parts(error)), GRACE_SECONDS)
            if messages is not None:
                self._values(messages, error)
            raise

    def _values(self, messages: Sequence[bytes], mine: Exception | None = None) -> list[Any]:
        decoded = [msgspec.msgpack.decode(message) for message in messages]
        failed = {rank: value for rank, (kind, value) in enumerate(decoded) if kind == _FAILED}
        if not failed:
            return [value for _, value in decoded]
        first = failed[min(failed)]
        alike = [rank for rank, parts in failed.items() if parts == first]
        error: Exception = _error(first) if mine is None or _parts(mine) != first else mine
        error.ranks = None if len(alike) == self.size else listed([self.names[rank] for rank in alike])  # type: ignore[attr-defined]
        error.agreed = True  # type: ignore[attr-defined]
        raise error from (mine if error is not mine else error.__cause__)


class Serial(Communicator):
    """One rank alone."""

    def __init__(self) -> None:
        super().__init__(0, 1, "localhost")

    def exchange(self, message: bytes, seconds: float | None = None) -> list[bytes] | None:
        return [message]

    def broadcast_array(self, values: NDArray[Any]) -> None:
        pass

    def native(self, color: int) -> None:
        return None

    def abort(self, code: int) -> None:
        pass


def host_name() -> str:
    """The name of this machine, without its domain."""
    return socket.gethostname().partition(".")[0] or "localhost"


def _encoded(kind: int, value: Any) -> bytes:
    return msgspec.msgpack.encode((kind, value), enc_hook=_plain)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be sent")


def listed(names: Sequence[str]) -> str:
    """A few names in words.

    Example:
        >>> listed(["rank 0 on a"]), listed(["rank 1 on a", "rank 2 on b"])
        ('rank 0 on a', 'rank 1 on a and rank 2 on b')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


_Parts = list[Any]  # name of the class, message, file, key, row, layer, and a traceback where it is a fault


def _parts(error: Exception) -> _Parts:
    known = errors.known(error)
    if known is None:
        text = "".join(traceback.format_exception(error))
        return [InternalError.__name__, f"{type(error).__name__}: {error}", None, None, None, None, text]
    return [type(known).__name__, known.message, known.file, known.key, known.row, known.layer, ""]


def _error(parts: _Parts) -> RavineError:
    name, message, file, key, row, layer, text = parts
    kind = getattr(errors, str(name), InternalError)
    known = kind if isinstance(kind, type) and issubclass(kind, RavineError) else InternalError
    error = known(message, file=file, key=key, row=row, layer=layer)
    if text:
        error.add_note(text)
    return error
