"""mpirun over several hosts with a hostfile, its daemons started by a launch agent and by a real sshd."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

LOG = "runs/digits/log.txt"

SUM = """
import socket
import numpy as np
from mpi4py import MPI
world = MPI.COMM_WORLD
values = np.full(100_000, world.rank + 1.0)
world.Allreduce(MPI.IN_PLACE, values)
line = f"rank {world.rank} of {world.size} on {socket.gethostname()}: {values.min():g} {values.max():g}"
print("\\n".join(world.gather(line) or []), end="\\n" if world.rank == 0 else "", flush=True)
"""


@pytest.mark.parametrize("sshd", [False, True], ids=["agent", "sshd"])
def test_ranks_of_three_hosts_meet(make_hosts, mpirun_words, sshd):
    hosts = make_hosts(3, sshd=sshd)
    if sshd:
        hosts.introduce()
    else:
        mpirun_words += ["--prtemca", "plm_ssh_agent", hosts.agent]
    command = [*mpirun_words, "--hostfile", hosts.hostfile(slots=1), "-n", "3", sys.executable, "-c", SUM]
    done = hosts.run("host1", command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"rank {rank} of 3 on host{rank + 1}: 6 6" for rank in range(3)]


@pytest.mark.parametrize("sshd", [False, True], ids=["agent", "sshd"])
def test_three_hosts_train_one_network(make_hosts, mpirun_words, sshd):
    """Each host has a home of its own, so that nothing but messages goes from one to another."""
    hosts = make_hosts(3, sshd=sshd)
    # More ranks than cores: who waits must give its core to who works.
    environment = {"OMPI_MCA_mpi_yield_when_idle": "1"}
    if sshd:
        hosts.introduce()
    else:
        environment["PRTE_MCA_plm_ssh_agent"] = str(hosts.agent)
    ravine = Path(sys.executable).with_name("ravine")
    settings = ("training.epochs=5", "training.batch_size=256", "compute.dtype=float64")
    short = [word for setting in settings for word in ("--set", setting)]
    command = [ravine, "launch", "--hostfile", hosts.hostfile(), "train", "digits", *short]
    done = hosts.run("host1", command, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "rank 0 on host1, rank 1 on host2, rank 2 on host3" in hosts.run("host1", ["cat", LOG]).stdout
    assert [hosts.run(name, ["ls"]).stdout for name in hosts.names] == ["runs\n", "", ""]
    alone = hosts.run("host3", [ravine, "train", "digits", *short, "--threads", "1"])
    assert alone.returncode == 0, alone.stderr
    losses = [last_line(result.stdout) for result in (done, alone)]
    assert losses[0] == losses[1]


def last_line(text: str) -> str:
    """What came out, without how long it took."""
    return next(line for line in text.splitlines() if line.startswith("test accuracy")).partition(" after ")[
        0
    ]
