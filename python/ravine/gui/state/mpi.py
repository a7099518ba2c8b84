"""Whether this machine can train with several ranks, and how they are started without the app."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Sequence

from ravine.errors import InputError


def processors() -> int:
    """That this process may use: as many ranks can be chosen."""
    return len(os.sched_getaffinity(0))


def why_no_ranks() -> str:
    """Why ranks cannot be started, and what to do; empty where they can. Asks mpirun: for a worker."""
    from ravine.distributed.mpirun import find_launcher

    if importlib.util.find_spec("mpi4py") is None:
        return 'mpi4py is missing; install it with: pip install "ravine[mpi]"'
    try:
        find_launcher()
    except InputError as error:
        return error.message
    return ""


def mpirun_line(words: Sequence[str], ranks: int) -> str:
    """The line of mpirun that `ravine launch` would run. Asks mpirun: for a worker.

    Args:
        words: after `ravine`.
        ranks: how many.

    Raises:
        InputError: there is no mpirun.
    """
    if reason := why_no_ranks():
        raise InputError(reason)
    from ravine.distributed.mpirun import find_launcher

    return shlex.join(find_launcher().words(ranks, [sys.executable, "-m", "ravine", *words]))
