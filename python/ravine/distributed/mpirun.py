"""The program that starts the ranks of a job: where it is, which one it is, and how it is to be called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ravine.distributed.hosts import Host
from ravine.errors import InputError

# A link that goes down, or a machine that dies, is noticed after 5 + 3 x 2 s instead of a quarter of an hour.
KEEPALIVE = {"time": 5, "intvl": 2, "probes": 3}
KEPT = ("RAVINE_", "OMP_", "OPENBLAS_")  # variables that ranks on other machines are given
KEPT_NAMES = ("PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONUNBUFFERED")


@dataclass(frozen=True)
class Launcher:
    """An `mpirun`.

    Args:
        path: of the program.
        kind: whose it is; they differ in their options.
        version: of it, as it says.
    """

    path: str
    kind: Literal["Open MPI", "MPICH"]
    version: str

    @property
    def series(self) -> int:
        """The first number of the version."""
        return int(self.version.split(".")[0])

    def words(
        self,
        ranks: int,
        command: Sequence[str],
        *,
        hosts: Sequence[Host] = (),
        hostfile: Path | None = None,
        network: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The command line that starts a job.

        Args:
            ranks: how many.
            command: of each rank.
            hosts: machines; this one without.
            hostfile: the file that names them, if there is one.
            network: name or subnet of the network between the machines.
            environment: variables, of which ranks are given those of Ravine and of its libraries.

        Example:
            >>> mpi = Launcher("mpirun", "MPICH", "5.0.2")
            >>> " ".join(mpi.words(3, ["ravine", "train", "digits"], hosts=[Host("a", 2)], environment={}))
            'mpirun -n 3 -hosts a:2 -bind-to none ravine train digits'
        """
        variables = os.environ if environment is None else environment
        kept = sorted(name for name in variables if name.startswith(KEPT) or name in KEPT_NAMES)
        options = self._open_mpi if self.kind == "Open MPI" else self._mpich
        words = options(ranks, hosts, hostfile, network, variables)
        if self.kind == "Open MPI":
            words += [word for name in kept for word in ("-x", name)]
        elif kept:
            words += ["-genvlist", ",".join(kept)]
        return [self.path, "-n", str(ranks), *words, *command]

    def _open_mpi(
        self,
        ranks: int,
        hosts: Sequence[Host],
        hostfile: Path | None,
        network: str | None,
        variables: Mapping[str, str],
    ) -> list[str]:
        # The runtime beneath has options of its own from version 5 on.
        runtime = "--prtemca" if self.series >= 5 else "--mca"
        words = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        if hostfile is not None:
            words += ["--hostfile", str(hostfile)]
        elif hosts:
            words += ["--host", ",".join(f"{host.name}:{host.slots}" for host in hosts)]
        if not hosts and not is_allocated(variables) and ranks > (os.cpu_count() or 1):
            words += ["--map-by", ":OVERSUBSCRIBE", "--mca", "mpi_yield_when_idle", "1"]
        # A rank has several threads; bound to one core, as is the default, they would share it.
        words += ["--bind-to", "none"]
        if hosts:
            for name, value in KEEPALIVE.items():
                words += [runtime, f"oob_tcp_keepalive_{name}", str(value)]
        if network is not None:
            words += ["--mca", "btl_tcp_if_include", network, runtime, "oob_tcp_if_include", network]
        return words

    def _mpich(
        self,
        ranks: int,
        hosts: Sequence[Host],
        hostfile: Path | None,
        network: str | None,
        variables: Mapping[str, str],
    ) -> list[str]:
        words = []
        if hosts:
            words += ["-hosts", ",".join(f"{host.name}:{host.slots}" for host in hosts)]
        words += ["-bind-to", "none"]
        if network is not None:
            words += ["-iface", network]
        return words


def is_allocated(environment: Mapping[str, str] | None = None) -> bool:
    """Whether a batch system has set machines aside, which mpirun then takes."""
    variables = os.environ if environment is None else environment
    return any(name in variables for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "PE_HOSTFILE"))


def find_launcher(path: Path | None = None) -> Launcher:
    """The mpirun beside this Python, as pip installs it; or else the one that a shell would find.

    Args:
        path: another one to take.

    Raises:
        InputError: there is none, or it is neither Open MPI's nor MPICH's.
    """
    beside = Path(sys.executable).with_name("mpirun")
    if path is None:
        found = (
            str(beside) if os.access(beside, os.X_OK) else shutil.which("mpirun") or shutil.which("mpiexec")
        )
    else:
        found = shutil.which(str(path))
    if found is None:
        what = "there is no mpirun" if path is None else f"there is no program {path}"
        raise InputError(f'{what}; install one with `{sys.executable} -m pip install "ravine[mpi]"`')
    try:
        asked = subprocess.run(
            [found, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{found} cannot be run: {error}") from None
    launcher = understood(found, asked.stdout + asked.stderr)
    if launcher is None:
        raise InputError(f"{found} is neither of Open MPI nor of MPICH; choose another one with --mpirun")
    return launcher


def understood(path: str, text: str) -> Launcher | None:
    """Which launcher it is that says this of its version; None for another one.

    Example:
        >>> understood("mpirun", "mpirun (Open MPI) 5.0.11").series
        5
    """
    if match := re.search(r"\(Open MPI\) (\d[\w.]*)", text):
        return Launcher(path, "Open MPI", match[1])
    if match := re.search(r"HYDRA build details:\s+Version:\s+(\d[\w.]*)", text):
        return Launcher(path, "MPICH", match[1])
    return None
