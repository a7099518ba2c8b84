"""The workloads in Ravine on several ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from in_ravine import settings
from workloads import Workload

from ravine import Sequential, distributed, make_optimizer
from ravine.distributed.ranks import Ranks
from ravine.distributed.settings import ParallelSettings
from ravine.layers import Dense


def prepare(workload: Workload, threads: int, **parallel: Any) -> Callable[[], int]:
    """A function that does `workload.steps` steps, each rank with its part of the batch.

    Args:
        workload: what to do; its batch is that of all ranks.
        threads: of each rank.
        parallel: as in `[parallel]` of an experiment.
    """
    ranks = Ranks(distributed.start(), ParallelSettings(**parallel))
    first, rows = ranks.rows(workload.batch)
    network = Sequential(*workload.layers).network(
        workload.shape, loss="softmax_cross_entropy", batch_size=rows, dtype=workload.dtype, threads=threads,
        ranks=ranks.native,
    )  # fmt: skip
    optimizer = make_optimizer(settings(workload), l2=workload.l2)
    part = replace(workload, batch=rows)
    inputs, labels = part.arrays(part.batches() * rows)

    def run() -> int:
        done = 0
        while done < part.steps:
            steps = min(part.steps - done, part.batches(), 1000)
            result = network.train(
                optimizer, inputs[: steps * rows], labels[: steps * rows], batch_size=rows, first_row=first,
                global_batch=workload.batch,
            )  # fmt: skip
            network.drain()
            network.drain_times()
            done += result.steps
        return done

    return run


def prepare_sum(count: int, repeats: int, **parallel: Any) -> Callable[[], list[float]]:
    """A function that trains a layer of so many weights; seconds that each step spent on sums of gradients.

    Args:
        count: of the weights.
        repeats: steps of a run.
        parallel: as in `[parallel]` of an experiment.
    """
    ranks = Ranks(distributed.start(), ParallelSettings(**{"overlap": False, **parallel}))
    units = round(count**0.5)
    network = Sequential(Dense(units, use_bias=False)).network(
        (count // units,), loss="softmax_cross_entropy", batch_size=1, threads=1, ranks=ranks.native
    )
    optimizer = make_optimizer({"type": "gradient_descent", "learning_rate": 1e-4})
    inputs = np.ones((repeats, count // units), np.float32)
    labels = np.zeros(repeats, np.int32)

    def run() -> list[float]:
        network.drain_times()
        network.train(
            optimizer, inputs, labels, batch_size=1, first_row=ranks.world.rank, global_batch=ranks.size,
            statistics="off",
        )  # fmt: skip
        _, seconds = network.drain_times()
        return [float(communicate) for _, _, communicate, _ in seconds]

    return run
