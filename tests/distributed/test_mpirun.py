"""The time limit that every other test of this folder relies on."""

from __future__ import annotations

import pytest

SAY = """
from mpi4py import MPI
world = MPI.COMM_WORLD
print(f"rank {world.rank} of {world.size}: {world.allreduce(world.rank)}", flush=True)
"""
# Ranks that no signal but SIGKILL ends, with a child each in a session of its own.
HANG = """
import os, signal, subprocess, sys, time
from mpi4py import MPI
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
if MPI.COMM_WORLD.rank:
    MPI.COMM_WORLD.barrier()
time.sleep(600)
"""


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_job_runs_to_its_end(mpirun, ranks):
    done = mpirun(ranks, "-c", SAY)
    assert done.code == 0, done
    assert done.lines == [f"rank {rank} of {ranks}: {sum(range(ranks))}" for rank in range(ranks)]


def test_a_job_that_hangs_is_killed_whole(mpirun):
    job = mpirun.start(2, "-c", HANG)
    job.until(lambda: len(job.ranks()) == 2 and job.output()[0].count("ready") == 2)
    assert len(job.processes()) == 5  # mpirun, two ranks, and a child of each
    with pytest.raises(pytest.fail.Exception, match=r"ran for more than 0.1 s; left: "):
        job.wait(0.1)
    assert not job.processes()
    assert job.process.returncode == -9
