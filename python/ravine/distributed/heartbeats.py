"""Short messages between rank 0 and every other rank that nobody waits for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

LENGTH = 1024
_NUMBERS = struct.Struct("<BxxxiqqqdH")
_LONGEST_TEXT = LENGTH - _NUMBERS.size
_TAG = 1


class State(IntEnum):
    """What a rank says of itself; after ENDED and RELEASED it says nothing more."""

    RUNS = 0
    FAILED = 1  # and waits for rank 0 to end the job
    ENDED = 2  # and waits for the others to end
    RELEASED = 3  # said by rank 0: all have ended


@dataclass(frozen=True)
class Heartbeat:
    """What one rank tells of itself.

    Args:
        state: what it does.
        code: its exit code, once it has one.
        step: of the training, the last that is done.
        begun, ended: exchanges with other ranks, since the start.
        idle: seconds since one of these two grew.
        text: why it has failed, or else where in the program it is.

    Example:
        >>> sent = Heartbeat(State.RUNS, 0, 31, 64, 63, 2.5, "gather (communicator.py:80)")
        >>> Heartbeat.unpacked(sent.packed()) == sent
        True
    """

    state: State = State.RUNS
    code: int = 0
    step: int = 0
    begun: int = 0
    ended: int = 0
    idle: float = 0.0
    text: str = ""

    @property
    def waiting(self) -> float:
        """Seconds in which the exchange that it is in has not come on; 0 outside of one."""
        return self.idle if self.begun > self.ended else 0.0

    def packed(self) -> bytes:
        """As a message."""
        text = self.text.encode(errors="replace")[:_LONGEST_TEXT]
        numbers = (self.state, self.code, self.step, self.begun, self.ended, self.idle, len(text))
        return (_NUMBERS.pack(*numbers) + text).ljust(LENGTH, b"\0")

    @staticmethod
    def unpacked(message: bytes) -> Heartbeat:
        """Of a message."""
        state, code, step, begun, ended, idle, length = _NUMBERS.unpack_from(message)
        text = message[_NUMBERS.size : _NUMBERS.size + length].decode(errors="replace")
        return Heartbeat(State(state), code, step, begun, ended, idle, text)


class Heartbeats:
    """The messages of one rank; used by one thread.

    Args:
        communicator: mpi4py's, of all ranks, used for nothing else. MPI must allow several threads.
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.others = list(range(1, self.size)) if self.rank == 0 else [0]
        self._leaving: dict[int, tuple[bytes, Any]] = {}
        self._arriving = {other: self._expected(other) for other in self.others}

    def _expected(self, other: int) -> tuple[bytearray, Any]:
        buffer = bytearray(LENGTH)
        return buffer, self._communicator.Irecv(buffer, source=other, tag=_TAG)

    def send(self, beat: Heartbeat) -> bool:
        """Sends to all others, without waiting; False where one has not taken its last message yet.

        Such a rank gets no further one, so that nothing piles up before a rank that is stuck.
        """
        free = [other for other in self.others if self._left(other)]
        for other in free:
            message = beat.packed()
            self._leaving[other] = message, self._communicator.Isend(message, dest=other, tag=_TAG)
        return len(free) == len(self.others)

    def flush(self) -> bool:
        """Whether all messages have left."""
        return all([self._left(other) for other in self.others])

    def _left(self, other: int) -> bool:
        if other in self._leaving and self._leaving[other][1].Test():
            del self._leaving[other]
        return other not in self._leaving

    def receive(self) -> Iterator[tuple[int, Heartbeat]]:
        """What has arrived, with the rank it is from."""
        for other in list(self._arriving):
            buffer, request = self._arriving[other]
            while request.Test():
                beat = Heartbeat.unpacked(bytes(buffer))
                yield other, beat
                if beat.state in (State.ENDED, State.RELEASED):
                    del self._arriving[other]
                    break
                buffer, request = self._arriving[other] = self._expected(other)
