"""How long training steps of an experiment take on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from ravine.data import DataParts
from ravine.data.batch_source import BatchSource
from ravine.data.sampler import Sampler
from ravine.experiment import Experiment
from ravine.training.preparation import build

SECONDS = 0.2  # that a measurement of one batch size takes, at least
REPEATS = 5
STEPS = 64  # the most in one call


def step_seconds(experiment: Experiment, parts: DataParts, sizes: Iterable[int]) -> list[tuple[int, float]]:
    """Batch sizes, and how long a step of each takes, in seconds: the least of some repeats.

    Steps are those of training, updates included; the rate is so small that nothing diverges, and nothing is
    recorded.

    Args:
        experiment: what would be trained.
        parts: its data.
        sizes: of batches, at least 1; those beyond the number of samples are left out.
    """
    found = []
    for size in sizes:
        if size > len(parts.train):
            continue
        settings = msgspec.structs.replace(experiment.training, batch_size=size, micro_batch=0)
        trainer = build(msgspec.structs.replace(experiment, training=settings), parts)
        network, optimizer = trainer.network, trainer.optimizer
        if "learning_rate" in optimizer.settings:
            optimizer.set("learning_rate", optimizer.settings["learning_rate"] * 1e-6)
        source = BatchSource(
            parts.train,
            Sampler(seed=experiment.seed, count=len(parts.train)),
            batch_size=size,
            drop_last=True,
            dtype=network.array_dtype,
            maximum_batches=STEPS,
        )
        steps = 1
        times: list[float] = []
        while len(times) < REPEATS:
            chunk = source.chunk(0, 0, steps)
            start = time.perf_counter()
            network.train(
                optimizer, chunk.inputs, chunk.targets, batch_size=size, weights=chunk.weights,
                record_every=0, statistics="off",
            )  # fmt: skip
            taken = time.perf_counter() - start
            if taken * REPEATS < SECONDS and steps < min(STEPS, source.full_batches):
                steps = min(2 * steps, STEPS, source.full_batches)  # and what was timed was a warm-up
                times.clear()
            else:
                times.append(taken / chunk.batches)
        found.append((size, min(times)))
    return found
