"""Trains experiments on 1, 2, 3 and 4 ranks of one MPI job: mpirun -n 4 cells.py FOLDER EXPERIMENT..."""

from __future__ import annotations

import sys
from pathlib import Path

from mpi4py import MPI

from ravine import load_experiment, train_experiment
from ravine.distributed.communicator import Serial
from ravine.distributed.mpi import Mpi

folder, *files = map(Path, sys.argv[1:])
world = MPI.COMM_WORLD
for ranks in (1, 2, 3, 4):
    part = world.Split(world.rank < ranks, world.rank)
    if world.rank < ranks:
        for file in files:
            train_experiment(
                load_experiment(file), folder=folder / f"{file.stem}-{ranks}", stop_on_signal=False,
                world=Mpi(communicator=part) if ranks > 1 else Serial(),
            )  # fmt: skip
    world.Barrier()
