"""What becomes of a job over several hosts when a rank, a daemon of mpirun or a link is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ravine.training import checkpoint as checkpoints

TIMEOUT = 3  # seconds that ranks wait for one that does not come
NOTICED = 5 + 3 * 2  # seconds until a connection without an answer is given up
SLACK = 8  # seconds for the rest, on a machine that does other things beside
# For as long as it takes, with a checkpoint after each epoch.
TRAIN = (
    "train", "digits", "--quiet", "--threads", "1", "--set", "training.checkpoint_seconds=0",
    "--set", "training.epochs=1000000",
)  # fmt: skip


class Job:
    """`ravine launch` on host1, with a rank on each host."""

    def __init__(self, hosts, folder: Path, timeout: int) -> None:
        self.folder = folder
        self.hosts = hosts
        command = [sys.executable, "-m", "ravine", "launch", "--hostfile", hosts.hostfile(), *TRAIN]
        command += ["--set", f"parallel.timeout_seconds={timeout}"]
        environment = {"PRTE_MCA_plm_ssh_agent": str(hosts.agent), "OMPI_MCA_mpi_yield_when_idle": "1"}
        with (folder / "out").open("w") as out:
            command = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
            self.process = hosts.start("host1", command, folder=folder, output=out)
        self.mark = str(hosts.folder).encode()

    def pids(self, word: str) -> list[int]:
        """The processes of these hosts that have a word in their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                ours = self.mark in (entry / "environ").read_bytes()
            except OSError:
                continue
            if ours and any(Path(one).name == word for one in words):
                found.append(int(entry.name))
        return found

    def rank(self, number: int) -> int:
        """The process of a rank."""
        for pid in self.pids("python"):
            if f"OMPI_COMM_WORLD_RANK={number}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return pid
        raise LookupError(number)

    def until_trained(self) -> None:
        """Waits until there are checkpoints."""
        limit = time.monotonic() + 60
        while len(list(self.folder.glob("runs/digits/checkpoints/step*"))) < 2:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < limit, self.said
            time.sleep(0.05)

    @property
    def said(self) -> str:
        return (self.folder / "out").read_text()

    def wait(self, seconds: float) -> int:
        """The exit code, once all ranks have gone, and mpirun; a daemon may wait for a link to come back."""
        began = time.monotonic()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end in {seconds} s: {self.said}")
        while left := self.pids("python") + self.pids("prterun"):
            assert time.monotonic() - began < seconds, left
            time.sleep(0.05)
        print(f"all gone after {time.monotonic() - began:.1f} s", self.said, sep="\n")
        assert checkpoints.load_latest(self.folder / "runs" / "digits").checkpoint.step > 0
        return code


@pytest.fixture
def job(make_hosts, mpirun_words, tmp_path, request):
    """A training of three ranks on three hosts, under way."""
    started = Job(make_hosts(3), tmp_path, 60 if "patient" in request.node.name else TIMEOUT)
    started.until_trained()
    yield started
    started.process.kill()
    started.process.wait()


def errors(job: Job) -> list[str]:
    return [line for line in job.said.splitlines() if line.startswith("ravine: error: ")]


def test_a_killed_rank(job):
    os.kill(job.rank(1), signal.SIGKILL)
    assert job.wait(SLACK) == 137
    assert errors(job) == ["ravine: error: rank 1 on host2 was killed by signal 9 (Killed)"]


def test_a_killed_daemon(job):
    """mpirun itself may take this for a good end."""
    daemon = Path(f"/proc/{job.rank(2)}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(daemon), signal.SIGKILL)
    assert job.wait(SLACK) == 75
    assert errors(job) == ["ravine: error: host3, or the link to it, was lost"]


def test_a_rank_that_is_stopped(job):
    os.kill(job.rank(2), signal.SIGSTOP)
    assert job.wait(TIMEOUT + SLACK) == 75
    assert len(errors(job)) == 1
    assert errors(job)[0].startswith("ravine: error: rank 2 on host3 has given no sign of life for 3 s")


def test_a_stopped_rank_0(job):
    os.kill(job.rank(0), signal.SIGSTOP)
    assert job.wait(TIMEOUT + SLACK) == 75
    assert len(errors(job)) == 1
    assert errors(job)[0].startswith("ravine: error: rank 0 on host1 has given no sign of life for 3 s")


def test_a_link_that_goes_down(job):
    job.hosts.cut("host3")
    assert job.wait(TIMEOUT + 2 * SLACK) == 75
    assert errors(job)[0].startswith("ravine: error: rank 2 on host3 has given no sign of life for 3 s")


def test_a_link_that_goes_down_while_ranks_are_patient(job):
    """mpirun notices it, by connections that are asked whether they live."""
    job.hosts.cut("host3")
    assert job.wait(NOTICED + SLACK) == 75
    assert errors(job) == ["ravine: error: host3, or the link to it, was lost"]
