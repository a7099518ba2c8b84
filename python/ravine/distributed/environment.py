"""Whether this process is one of several that an MPI launcher has started, as its environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

# Of each launcher: the number of its processes, and which of them this is. A Slurm job counts only inside of
# a step that srun has started: the script of the job is one process, whatever the job's number of tasks.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)


LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID")


class Place(NamedTuple):
    """Which of how many processes this is; `size` is 0 where the launcher does not say how many there are."""

    rank: int
    size: int
    local_rank: int = 0  # among those of the same machine, as far as the launcher says

    @property
    def alone(self) -> bool:
        """There is no other process."""
        return self.size == 1


def place(environment: Mapping[str, str] | None = None) -> Place:
    """What the variables of the launchers say; rank 0 of 1 without any.

    Example:
        >>> place({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"})
        Place(rank=2, size=4, local_rank=0)
        >>> place({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}).alone
        True
    """
    variables = os.environ if environment is None else environment
    known = {name: int(value) for name, value in variables.items() if _is_ours(name) and value.isdecimal()}
    local = next((known[name] for name in LOCAL_RANKS if name in known), 0)
    for size, rank in LAUNCHERS:
        if size in known and rank in known:
            return Place(known[rank], known[size], local)
    if "PMIX_RANK" in known:  # of PMIx without a launcher's own variables
        return Place(known["PMIX_RANK"], 0, local)
    return Place(0, 1)


def _is_ours(name: str) -> bool:
    return name == "PMIX_RANK" or name in LOCAL_RANKS or any(name in pair for pair in LAUNCHERS)
