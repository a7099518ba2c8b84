"""Ranks that are processes of an MPI job. Nothing else imports mpi4py, and nothing imports this but a job."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.distributed import failure
from ravine.distributed.collectives import best_algorithm
from ravine.distributed.communicator import Communicator, host_name
from ravine.distributed.environment import place
from ravine.distributed.heartbeats import Heartbeats
from ravine.distributed.watchdog import Watchdog, exchange
from ravine.errors import InputError, InternalError

# Where a rank is killed, the others hear of it by their connections, at which Open MPI ends them. This lets
# mpirun be first, which says which rank it was.
os.environ.setdefault("OMPI_MCA_mpi_abort_delay", "1")
# Beside other work Open MPI sums in place up a tree and down again, which takes twice as long.
_OPEN_MPI_ALGORITHMS = {"ring": "1", "rabenseifner": "3"}
os.environ.setdefault(
    "OMPI_MCA_coll_libnbc_iallreduce_algorithm", _OPEN_MPI_ALGORITHMS[best_algorithm(max(1, place().size))]
)

try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:  # RuntimeError: there is no library of an MPI
    raise InputError(
        f"mpirun needs mpi4py, which cannot be loaded ({' '.join(str(error).split())}); "
        'pip install "ravine[mpi]" on every machine'
    ) from None

SLOT_BYTES = 1024  # of a rank's message that travel at once; longer ones take a second exchange
YIELD_SECONDS = 0.002  # of waiting without sleep, which leaves the processor to whoever wants it
LONGEST_SLEEP = 0.001
LARGEST_PIECE = 1 << 30  # MPI counts in int


class Mpi(Communicator):
    """All processes of the job.

    Args:
        expected: how many the launcher has started; 0 where it does not say.
        communicator: other processes than all of them.

    Raises:
        InputError: the launcher has started several that do not know each other.
    """

    def __init__(self, expected: int = 0, communicator: MPI.Comm | None = None) -> None:
        # Of our own: messages of a user's program do not mix with ours.
        self._comm = (communicator or MPI.COMM_WORLD).Dup()
        super().__init__(self._comm.Get_rank(), self._comm.Get_size(), host_name())
        if expected > 1 and self.size != expected:
            raise InputError(
                f"the launcher has started {expected} processes, but MPI sees {self.size}: it belongs to "
                "another MPI; use the mpirun of the installation that mpi4py uses, or with Slurm "
                "`srun --mpi=pmix`"
            )
        self.hosts = self.gather(self.host)
        self.knows_cuda = bool(knows_cuda())

    def exchange(self, message: bytes, seconds: float | None = None) -> list[bytes] | None:
        mine, slots = bytearray(SLOT_BYTES), bytearray(SLOT_BYTES * self.size)
        here = SLOT_BYTES - 8  # bytes of the message that go into the slot
        mine[:8] = len(message).to_bytes(8, "little")
        mine[8 : 8 + min(len(message), here)] = message[:here]
        request = self._comm.Iallgather([mine, MPI.BYTE], [slots, MPI.BYTE])
        if not _wait(request, seconds):
            return None  # whoever called ends the job, which has these buffers until then
        parts = [slots[place : place + SLOT_BYTES] for place in range(0, len(slots), SLOT_BYTES)]
        lengths = [int.from_bytes(part[:8], "little") for part in parts]
        counts = [max(0, length - here) for length in lengths]
        found = [bytes(part[8 : 8 + length]) for part, length in zip(parts, lengths, strict=True)]
        if not any(counts):
            return found
        if sum(counts) >= LARGEST_PIECE:
            raise InternalError(f"messages of {sum(counts)} bytes cannot be exchanged")
        rest = bytearray(sum(counts))
        _wait(self._comm.Iallgatherv([message[here:], MPI.BYTE], [rest, counts, None, MPI.BYTE]), None)
        ends = np.cumsum(counts).tolist()
        return [
            begin + bytes(rest[end - count : end])
            for begin, end, count in zip(found, ends, counts, strict=True)
        ]

    def broadcast_array(self, values: NDArray[Any]) -> None:
        flat = values.reshape(-1).view(np.uint8)
        for begin in range(0, flat.size, LARGEST_PIECE):
            _wait(self._comm.Ibcast([flat[begin : begin + LARGEST_PIECE], MPI.BYTE], root=0), None)

    def native(self, color: int) -> _core.Communicator | None:
        group = self._comm.Split(color, self.rank)
        if group.Get_size() == 1:
            return None
        library = _library()
        return _core.mpi_communicator(
            communicator=group.handle,
            functions={name: _address(library, name) for name in _core.mpi_functions},
            handles={name: _handle(name) for name in _core.mpi_handles},
            threads=MPI.Query_thread() == MPI.THREAD_MULTIPLE,
        )

    def abort(self, code: int) -> None:
        MPI.COMM_WORLD.Abort(code)

    def watch(self) -> None:
        """From here on a rank that fails, hangs or leaves ends all. Collective."""
        if MPI.Query_thread() == MPI.THREAD_MULTIPLE:
            beats = Heartbeats(MPI.COMM_WORLD.Dup())
            failure.watch(Watchdog(beats, self.names, self.abort, failure.tell, _core.exchanges))


def _wait(request: MPI.Request, seconds: float | None) -> bool:
    """Whether a collective call has come to its end, before some seconds are over.

    Ranks may be far apart, as where rank 0 writes a checkpoint: they wait without burning a processor, and a
    signal is heard meanwhile.
    """
    start = time.monotonic()
    sleep = 0.0
    with exchange():
        while not request.Test():
            waited = time.monotonic() - start
            if seconds is not None and waited > seconds:
                return False
            if waited < YIELD_SECONDS:
                os.sched_yield()
            else:
                sleep = min(LONGEST_SLEEP, max(2 * sleep, 5e-5))
                time.sleep(sleep)
    return True


def described() -> dict[str, Any]:
    """What `ravine doctor` tells of the library that mpi4py has loaded."""
    levels = {
        getattr(MPI, name): f"MPI_{name}"
        for name in ("THREAD_SINGLE", "THREAD_FUNNELED", "THREAD_SERIALIZED", "THREAD_MULTIPLE")
    }
    return {
        "library": " ".join(MPI.Get_library_version().partition(",")[0].split()),
        "standard": ".".join(map(str, MPI.Get_version())),
        "threads": levels[MPI.Query_thread()],
        "cuda": knows_cuda(),
    }


def knows_cuda() -> bool | None:
    """Whether the library reads and writes memory of GPUs; None where it does not say."""
    query = getattr(_library(), "MPIX_Query_cuda_support", None)  # an extension of some
    return None if query is None else bool(query())


def _handle(name: str) -> int:
    """A handle of the library, or the address that stands for "in place", as a number."""
    value = getattr(MPI, name.removeprefix("MPI_"))
    number = int(value) if name == "MPI_IN_PLACE" else int(value.handle)
    return number % 2**64


def _library() -> ctypes.CDLL:
    """The library of the MPI that mpi4py has loaded.

    Raises:
        InputError: it is not to be found.
    """
    candidates = [MPI.__file__]  # a symbol is looked for in what a library needs, too
    with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
        mapped = {line.rstrip("\n").partition("/")[2] for line in maps if "/libmp" in line}
    candidates += sorted("/" + path for path in mapped)
    for path in candidates:
        library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
        if all(hasattr(library, name) for name in _core.mpi_functions):
            return library
    raise InputError(f"the functions of MPI are in none of {', '.join(candidates)}; reinstall mpi4py")


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address
