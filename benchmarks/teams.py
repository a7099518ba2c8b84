"""Ranks that are timed together: processes under mpirun, on this machine or on namespace hosts.

Run by mpirun as a program, this is one of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from types import TracebackType
from typing import Any

from contenders import LeftOutError, serve

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from hosts import PERMISSION, Hosts
from hosts import why_not as why_not

BIN = Path(sys.executable).parent
OPTIONS = ("--bind-to", "none", "--map-by", ":OVERSUBSCRIBE")
FOLDER = "RAVINE_TEAM"  # in the environment of all ranks: a folder that they share


class Team:
    """One library in so many processes of an MPI job, each held to as many processors as it has threads.

    Between runs they wait for a pipe, not for each other, so that they leave the processors to others.

    Args:
        module: in this folder; its functions prepare what is timed, in every rank.
        ranks: processes. Where there are more than processors, they share them.
        threads: processors that each may use.
        hosts: one for each rank, or this machine.

    Raises:
        LeftOutError: there is no mpirun.
    """

    def __init__(self, module: str, ranks: int, threads: int = 1, hosts: Hosts | None = None) -> None:
        if not (BIN / "mpirun").exists():
            raise LeftOutError('there is no mpirun: pip install "ravine[mpi]"')
        self.module = module
        self.ranks = ranks
        self.threads = threads
        self._folder = tempfile.TemporaryDirectory(prefix="ravine-team-")
        address = str(Path(self._folder.name) / "socket")
        words = [str(BIN / "mpirun"), *OPTIONS, "-n", str(ranks), "-x", FOLDER]
        words += ["-x", "GLOO_SOCKET_IFNAME"]
        program = [sys.executable, str(Path(__file__).resolve()), address, module, str(threads)]
        environment = {
            **os.environ,
            **dict.fromkeys(PERMISSION, "1"),
            FOLDER: self._folder.name,
            "GLOO_SOCKET_IFNAME": "eth0" if hosts else "lo",
        }
        with Listener(address, "AF_UNIX", backlog=ranks) as listener:
            if hosts is None:
                self._job = subprocess.Popen([*words, *program], env=environment, stdin=subprocess.DEVNULL)
            else:
                words += ["--prtemca", "plm_ssh_agent", str(hosts.agent), "--hostfile", str(hosts.hostfile())]
                self._job = hosts.start(hosts.names[0], [*words, *program], environment=environment)
            by_rank: dict[int, Connection[Any, Any]] = {}
            while len(by_rank) < ranks:
                connection = listener.accept()
                by_rank[connection.recv()] = connection
        self._connections = [by_rank[rank] for rank in range(ranks)]

    def prepare(self, name: str, function: str, *arguments: Any, **settings: Any) -> None:
        """Lets `function` of the module make what `run(name)` calls, in every rank.

        Raises:
            LeftOutError: the library is not there, or cannot do it.
        """
        self._ask("prepare", name, function, arguments, settings)

    def run(self, name: str) -> tuple[float, Any]:
        """Seconds that the slowest rank took for a prepared call, and what rank 0 returned."""
        answers = self._ask("run", name)
        return max(seconds for seconds, _ in answers), answers[0][1]

    def forget(self) -> None:
        """Drops all that was prepared."""
        self._ask("forget")

    def _ask(self, *question: Any) -> list[Any]:
        for connection in self._connections:
            connection.send(question)
        try:
            answers = [connection.recv() for connection in self._connections]
        except EOFError:
            raise RuntimeError(f"a rank of {self.module} has ended; its error is above") from None
        for kind, answer in answers:
            if kind == "left out":
                raise LeftOutError(answer)
        return [answer for _, answer in answers]

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()
        try:
            self._job.wait(20)
        except subprocess.TimeoutExpired:
            self._job.terminate()
            self._job.wait()
        self._folder.cleanup()


def processors(rank: int, threads: int) -> list[int]:
    """Those of a rank; ranks beyond the last processor begin again with the first."""
    there = sorted(os.sched_getaffinity(0))
    return sorted({there[(rank * threads + place) % len(there)] for place in range(threads)})


def main(words: Sequence[str]) -> None:
    """One rank."""
    address, module, threads = words
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    with Client(address, "AF_UNIX") as connection:
        connection.send(rank)
        serve(connection, module, processors(rank, int(threads)))


if __name__ == "__main__":
    main(sys.argv[1:])
