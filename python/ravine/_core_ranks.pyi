"""Of the compiled module ravine._core: groups of ranks, and how they train one network."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

class Communicator:
    """A group of ranks; all of them make each call."""

    @property
    def rank(self) -> int: ...
    @property
    def ranks(self) -> int: ...
    def sum(self, values: NDArray[Any]) -> None:
        """Adds those of all ranks, in place; the same bits on every rank."""
    def gather(self, mine: bytes) -> list[bytes]:
        """The bytes of all ranks, in order of rank."""

def mpi_communicator(
    *, functions: Mapping[str, int], handles: Mapping[str, int], communicator: int, threads: bool
) -> Communicator:
    """The ranks of an MPI communicator: addresses of MPI's functions, and its handles as numbers of 64 bits.

    By the names in `mpi_functions` and `mpi_handles`; `threads` says whether several threads may call MPI at
    once.
    """

mpi_functions: list[str]
mpi_handles: list[str]

def exchanges() -> tuple[int, int]:
    """Collective calls of all communicators of MPI that this process has begun, and that are over."""

def thread_communicators(ranks: int) -> list[Communicator]:
    """Ranks that are threads of this process, one communicator each."""

class Ranks:
    """The ranks that train one network together, and how.

    data are ranks with rows of their own, model those that share layers. Gradients are summed in slices of
    bucket_bytes, as they are or rounded to bfloat16; with overlap while the backward pass goes on. With
    deterministic_parts the number of ranks changes no bit. With average_every above 1 ranks step alone and
    average their parameters every so many steps. The units of the layers named in split are shared out among
    the ranks of model; None: of those with enough of them. What lies on a GPU is carried by backend: "host",
    through memory of the host; "cuda_mpi", an MPI that knows of CUDA; or "nccl".
    """

    def __init__(
        self,
        *,
        data: Communicator | None = None,
        model: Communicator | None = None,
        synchronized_normalization: bool = False,
        bucket_bytes: int = 26214400,
        transport: str = "full",
        overlap: bool = True,
        deterministic_parts: int = 0,
        average_every: int = 1,
        split: Sequence[str] | None = None,
        backend: str = "host",
    ) -> None: ...
    @property
    def data(self) -> Communicator | None: ...
    @property
    def model(self) -> Communicator | None: ...
    @property
    def synchronized_normalization(self) -> bool: ...
    @property
    def bucket_bytes(self) -> int: ...
    @property
    def transport(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def overlap(self) -> bool: ...
    @property
    def deterministic_parts(self) -> int: ...
    @property
    def average_every(self) -> int: ...
    @property
    def split(self) -> list[str] | None: ...
    def rows(self, global_batch: int) -> tuple[int, int]:
        """This rank's rows of a global batch: the first, and how many (perhaps none)."""
