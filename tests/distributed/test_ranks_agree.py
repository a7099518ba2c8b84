"""What ranks tell each other: messages, errors that all of them raise, and what they must have in common."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ravine import InputError, _core, load_experiment
from ravine.distributed.communicator import Serial, listed
from ravine.distributed.environment import place
from ravine.distributed.grid import Grid, grid_of
from ravine.distributed.ranks import Ranks
from ravine.distributed.settings import ParallelSettings

SAY = """
import json, sys
import numpy as np
from ravine import distributed
from ravine.distributed.ranks import Ranks
from ravine.distributed.settings import ParallelSettings

world = distributed.start()
text = "x" * 5000 * (world.rank + 1)  # longer than what travels at once
found = world.gather({"rank": world.rank, "text": text, "value": float("nan"), "bytes": b"\\0\\xff"})
assert [one["rank"] for one in found] == list(range(world.size))
assert [len(one["text"]) for one in found] == [5000 * (rank + 1) for rank in range(world.size)]
assert found[0]["value"] != found[0]["value"] and found[0]["bytes"] == b"\\0\\xff"
assert world.broadcast([world.rank, None, "a"]) == [0, None, "a"]
array = np.arange(6.0).reshape(2, 3) * (1 if world.rank == 0 else -1)
world.broadcast_array(array)
assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
ranks = Ranks(world, ParallelSettings(model=2))
data, model = ranks.native.data, ranks.native.model
total = np.full(3, 1.0 + world.rank)
data.sum(total)
assert (data.rank, data.ranks, model.rank, model.ranks) == (world.rank // 2, 2, world.rank % 2, 2)
assert total.tolist() == [sum(1.0 + rank for rank in range(4) if rank % 2 == world.rank % 2)] * 3
assert model.gather(b"a" * world.rank) == [b"a" * (world.rank // 2 * 2), b"a" * (world.rank // 2 * 2 + 1)]
try:
    with world.together():
        if world.rank == 2:
            raise ValueError("of rank 2")
        world.barrier()
except Exception as error:
    agreed = f"{error} {error.agreed}"
print(json.dumps([world.rank, agreed]))
"""


def test_over_mpi(mpirun: Any) -> None:
    done = mpirun(4, "-c", SAY)
    assert done.code == 0, done
    host = done.lines[0].split(" on ")[1].split(":")[0]
    assert done.lines == [
        f'[0, "rank 2 on {host}: ValueError: of rank 2 True"]',
        f'[1, "rank 2 on {host}: ValueError: of rank 2 True"]',
        '[2, "of rank 2 True"]',
        f'[3, "rank 2 on {host}: ValueError: of rank 2 True"]',
    ]


def test_one_process_alone_knows_nothing_of_mpi() -> None:
    code = (
        "import sys, ravine\n"
        "from ravine.distributed import start\n"
        "assert start().size == 1\n"
        "trainer = ravine.Trainer(ravine.Sequential(ravine.layers.Dense(1)), loss='squared_error',"
        " optimizer='adam')\n"
        "trainer.fit([[0.0], [1.0]], [0.0, 2.0], epochs=2)\n"
        "assert 'ravine.distributed.mpi' not in sys.modules and 'mpi4py' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1, 0)),
        ({"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, (0, 1, 0)),
        (
            {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1"},
            (3, 4, 1),
        ),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, (1, 2, 0)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, (0, 1, 0)),  # the script of a job, and no step of it
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "2"}, (5, 8, 2)),
        ({"PMIX_RANK": "3"}, (3, 0, 0)),
        ({"PMI_SIZE": "two", "PMI_RANK": "1"}, (0, 1, 0)),
    ],
)
def test_what_launchers_say(variables: dict[str, str], expected: tuple[int, int, int]) -> None:
    assert tuple(place(variables)) == expected


def test_the_grid() -> None:
    grids = [grid_of(0, 2, 6, rank) for rank in range(6)]
    assert [(grid.data_rank, grid.model_rank) for grid in grids] == [
        (d, m) for d in range(3) for m in range(2)
    ]
    assert grids[0].first_of_groups == [0, 2, 4]
    assert grid_of(2, 4, 1, 0) == Grid()  # without mpirun the section changes nothing
    with pytest.raises(InputError, match=r"parallel\.model: is 4, which does not divide 6 ranks"):
        grid_of(0, 4, 6, 0)
    with pytest.raises(
        InputError, match=r"parallel\.data: is 2, and with model = 2 that makes 4 ranks, .* 6"
    ):
        grid_of(2, 2, 6, 0)


def test_the_section(tmp_path: Any) -> None:
    given = load_experiment("digits", ["parallel.transport=bfloat16", "parallel.bucket_megabytes=auto"])
    assert given.parallel == ParallelSettings(transport="bfloat16", bucket_megabytes="auto")
    for setting, message in {
        "model=0": r"parallel\.model: .*>= 1",
        "bucket_megabytes=0": r"parallel\.bucket_megabytes",
        "normalization=batch": r"parallel\.normalization",
        "bukket=3": r"parallel\.bukket: .*did you mean|parallel\.bukket",
    }.items():
        with pytest.raises(InputError, match=message):
            load_experiment("digits", [f"parallel.{setting}"])


def test_what_the_core_is_told() -> None:
    communicators = _core.thread_communicators(2)

    class Two(Serial):
        def __init__(self) -> None:
            super().__init__()
            self.size = 2

        def native(self, color: int) -> Any:
            return communicators[0]

    settings = ParallelSettings(
        data=2, bucket_megabytes=2.5, transport="bfloat16", overlap=False, normalization="synchronized",
        deterministic=True, deterministic_parts=8,
    )  # fmt: skip
    native = Ranks(Two(), settings).native
    assert native is not None
    assert (native.bucket_bytes, native.transport, native.overlap) == (2_500_000, "bfloat16", False)
    assert (native.synchronized_normalization, native.deterministic_parts) == (True, 8)
    assert native.average_every == 1


def test_names() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
