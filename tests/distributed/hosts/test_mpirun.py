"""mpirun over several hosts with a hostfile, its daemons started by a launch agent and by a real sshd."""

from __future__ import annotations

import sys

import pytest

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
