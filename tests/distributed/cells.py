"""Trains experiments on the first ranks of one MPI job: mpirun -n 4 cells.py FOLDER RANKS:EXPERIMENT..."""

from __future__ import annotations

import sys
from pathlib import Path

from mpi4py import MPI

from ravine import load_experiment, train_experiment
from ravine.distributed.communicator import Serial
from ravine.distributed.mpi import Mpi

folder, cells = Path(sys.argv[1]), sys.argv[2:]
world = MPI.COMM_WORLD
parts = {
    ranks: Mpi(communicator=world.Split(world.rank < ranks, world.rank)) if ranks > 1 else Serial()
    for ranks in range(1, world.size + 1)
}
for cell in cells:
    count, _, file = cell.partition(":")
    if world.rank < int(count):
        train_experiment(
            load_experiment(file), folder=folder / f"{Path(file).stem}-{count}", stop_on_signal=False,
            world=parts[int(count)],
        )  # fmt: skip
