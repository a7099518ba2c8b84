"""Real jobs under mpirun: each has a hard time limit, after which every process of it is killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MARK = "RAVINE_TEST_JOB"  # in the environment of every process of a job
KEPT_OUT = ("RAVINE_", "OMPI_", "PMIX_", "PRTE_", "PMI_", "OMP_NUM_THREADS", "COLUMNS")


@dataclass(frozen=True)
class Result:
    """What a job left: exit code, both streams, and how long it ran until its last process was gone."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """The lines of standard output, sorted: those of several ranks come in any order."""
        return sorted(self.out.splitlines())


class Job:
    """A job that runs: `mpirun` and all that it started.

    Args:
        command: the whole command line.
        cwd: the folder it runs in.
        extra: added to its environment.
    """

    def __init__(self, command: list[str], cwd: Path, extra: dict[str, str]) -> None:
        self.mark = uuid.uuid4().hex
        self.command = command
        self.began = time.monotonic()
        # Files and not pipes: a rank that outlives mpirun would hold a pipe open, and full ones would block.
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment(**extra) | {MARK: self.mark}, stdin=subprocess.DEVNULL,
            stdout=self.out, stderr=self.err, start_new_session=True,
        )  # fmt: skip

    def processes(self) -> dict[int, dict[str, str]]:
        """The processes of the job that live, with their environments."""
        found = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it has ended, or is not ours
                    path = Path(entry.path)
                    if path.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                        continue
                    variables = path.joinpath("environ").read_bytes().decode(errors="replace").split("\0")
                    values = dict(v.split("=", 1) for v in variables if "=" in v)
                    if values.get(MARK) == self.mark:
                        found[int(entry.name)] = values
        return found

    def ranks(self) -> dict[int, int]:
        """The process number of every rank that lives; a rank's own children come after it."""
        pids: dict[int, int] = {}
        for pid, values in sorted(self.processes().items()):
            rank = values.get("OMPI_COMM_WORLD_RANK", values.get("PMI_RANK"))
            if rank is not None:
                pids.setdefault(int(rank), pid)
        return pids

    def output(self) -> tuple[str, str]:
        """What it has printed so far, on both streams."""
        texts = []
        for stream in (self.out, self.err):
            size = os.fstat(stream.fileno()).st_size
            texts.append(os.pread(stream.fileno(), size, 0).decode(errors="replace"))
        return texts[0], texts[1]

    def until(self, condition: Callable[[], object], timeout: float = 60) -> None:
        """Waits for a condition; fails the test where it does not come true, or the job ends before."""
        limit = time.monotonic() + timeout
        while not condition():
            ended = self.process.poll() is not None
            if (ended and not condition()) or time.monotonic() > limit:
                out, err = self.output()
                self.kill()
                pytest.fail(f"{self.command}: {'ended' if ended else 'too late'}\n{out}\n{err}")
            time.sleep(0.01)

    def wait(self, timeout: float) -> Result:
        """Waits until every process has gone; kills all and fails the test where they take longer."""
        limit = time.monotonic() + timeout
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)
        # It is the job that has to end, not only mpirun.
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(0.01)
        seconds = time.monotonic() - self.began
        self.kill()
        out, err = self.output()
        if left:
            pytest.fail(f"{self.command} ran for more than {timeout} s; left: {sorted(left)}\n{out}\n{err}")
        return Result(self.process.returncode, out, err, seconds)

    def kill(self) -> None:
        """Ends every process of the job, those that are stopped too."""
        while left := self.processes():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
        self.process.wait()


def environment(**extra: str) -> dict[str, str]:
    """As a user's, without what an outer job left, for small machines and for root."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(KEPT_OUT)}
    as_root = (
        {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if not os.getuid() else {}
    )
    # More ranks than cores: who waits must give its core to who works.
    return {**kept, **dict.fromkeys(as_root, "1"), "OMPI_MCA_mpi_yield_when_idle": "1", **extra}


def mpirun_path() -> str:
    """The mpirun of the wheel, or that of the system; skips the test where there is none."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip('needs mpi4py: pip install "ravine[mpi]"')
    beside = Path(sys.executable).with_name("mpirun")
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        pytest.skip('needs mpirun: pip install "ravine[mpi]", or apt-get install openmpi-bin')
    return found


class Mpirun:
    """Runs jobs in a folder of their own; what is left of them is killed when the test ends.

    The command is that of one rank: one that begins with an option, or with the name of a script, is run by
    this Python. Keywords go into the environment.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: list[Job] = []

    def __call__(self, ranks: int, *command: object, timeout: float = 60, **extra: str) -> Result:
        """Runs a job to its end; the test fails where a process is left after `timeout` seconds."""
        return self.start(ranks, *command, **extra).wait(timeout)

    def start(self, ranks: int, *command: object, **extra: str) -> Job:
        """Starts a job."""
        first = str(command[0])
        python = [sys.executable] if first.startswith("-") or first.endswith(".py") else []
        options = ["-n", ranks, "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]
        return self.run(mpirun_path(), *options, *python, *command, **extra)

    def run(self, *command: object, **extra: str) -> Job:
        """Starts any command, such as `ravine launch`."""
        self.jobs.append(Job([str(word) for word in command], self.folder, extra))
        return self.jobs[-1]


@pytest.fixture
def mpirun(tmp_path: Path) -> Iterator[Mpirun]:
    """Runs a command on n ranks of this machine: mpirun(n, *command, timeout=60, **environment)."""
    mpirun_path()
    runner = Mpirun(tmp_path)
    yield runner
    for job in runner.jobs:
        job.kill()
        job.out.close()
        job.err.close()
