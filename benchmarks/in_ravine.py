"""The workloads in Ravine."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contenders import LeftOutError
from numpy.typing import NDArray
from tasks import Epochs, Task, bound, read
from workloads import Workload

from ravine import Callback, DeviceError, InputError, Sequential, Trainer, _core, make_optimizer
from ravine.data import DataSettings, fit, load, read_idx
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.source import source_of
from ravine.initializers import Uniform
from ravine.layers import Dense
from ravine.optimizers import Adam
from ravine.training.history import EvaluationRecord

LEARNING_RATE = 1e-4


def prepare(
    workload: Workload, threads: int, statistics: bool = True, device: str = "cpu"
) -> Callable[[], int]:
    """A function that does `workload.steps` steps on data in memory and returns their number."""
    try:
        network = Sequential(*workload.layers).network(
            workload.shape,
            loss="softmax_cross_entropy",
            batch_size=workload.batch,
            dtype=workload.dtype,
            device=device,
            threads=threads,
        )
    except (DeviceError, InputError) as error:
        raise LeftOutError(str(error)) from None
    optimizer = make_optimizer(settings(workload), l2=workload.l2)
    if workload.update_only:
        optimizer.attach(network)
        network.flat_gradients[...] = np.random.default_rng(0).standard_normal(
            network.flat_gradients.size, np.float32
        )

        row = workload.arrays(1)[0]

        def update() -> int:
            for _ in range(workload.steps):
                optimizer.step(network)
            if device != "cpu":
                network.predict(row)  # comes after the updates, and is waited for
            return workload.steps

        return update

    inputs, labels = workload.arrays(workload.batches() * workload.batch)
    samples: Any = (inputs, labels)
    if device != "cpu":  # as a Trainer keeps them
        kept = _core.ResidentData(
            network, samples=len(inputs), stored="float32", stored_values=inputs[0].size
        )
        kept.write_inputs(0, inputs)
        kept.write_targets(labels)
        samples = (kept.samples(np.arange(len(inputs))), None)
    recorded: dict[str, Any] = {} if statistics else {"record_every": 0, "statistics": "off"}

    def run() -> int:
        done = 0
        while done < workload.steps:
            rows = min(workload.steps - done, workload.batches(), 1000) * workload.batch
            result = network.train(
                optimizer, *(one if one is None else one[:rows] for one in samples),
                batch_size=workload.batch, **recorded,
            )  # fmt: skip
            network.drain()
            done += result.steps
        return done

    return run


def prepare_epochs(workload: Workload, threads: int, epochs: int, whole: bool) -> Callable[[], int]:
    """Some epochs by `Trainer.fit`, in a new order each, with a schedule and statistics.

    Or their steps alone: those of the native loop, over the same data as they lie, statistics on too.
    """
    inputs, labels = workload.arrays(workload.samples)
    trainer = Trainer(
        Sequential(*workload.layers),
        loss="softmax_cross_entropy",
        optimizer=settings(workload),
        schedules={"learning_rate": "cosine"},
        batch_size=workload.batch,
        threads=threads,
    )
    if whole:

        def fit() -> int:
            trainer.fit(inputs, labels, epochs=epochs)
            return epochs

        return fit

    network = trainer.compile(workload.shape, len(inputs))
    full = len(inputs) // workload.batch * workload.batch
    # As many as the statistics of one call are kept for.
    most = 1000 * workload.batch
    parts = [(slice(begin, min(begin + most, full)), workload.batch) for begin in range(0, full, most)]
    if full < len(inputs):
        parts.append((slice(full, len(inputs)), len(inputs) - full))

    def steps() -> int:
        for _ in range(epochs):
            for rows, batch in parts:
                network.train(trainer.optimizer, inputs[rows], labels[rows], batch_size=batch)
                network.drain()
        return epochs

    return steps


def settings(workload: Workload) -> dict[str, Any]:
    """The optimizer's table; the rate is so small that nothing diverges on random data."""
    return {"type": workload.optimizer, "learning_rate": LEARNING_RATE}


def prepare_accuracy(task: Task, threads: int, seed: int) -> Callable[[], Epochs]:
    """A function that reads the data and trains until the test accuracy is reached."""

    class Stop(Callback):
        def on_evaluation(self, trainer: Trainer, record: EvaluationRecord) -> None:
            if record.split != "validation":
                return
            epochs.append((time.perf_counter() - start, record.metrics["accuracy"]))
            if epochs[-1][1] >= task.accuracy:
                trainer.stop()

    epochs: Epochs = []
    start = 0.0

    def run() -> Epochs:
        nonlocal start
        start = time.perf_counter()
        epochs.clear()
        train, labels, test, answers = samples(task)
        sizes = (train.shape[1], *task.hidden, 10)
        layers = []
        for inputs, units in itertools.pairwise(sizes):
            uniform = Uniform(-bound(inputs, units), bound(inputs, units))
            layers += [Dense(units, weight_initializer=uniform, bias_initializer=uniform), "relu"]
        trainer = Trainer(
            Sequential(*layers[:-1]),
            loss="softmax_cross_entropy",
            optimizer=Adam(task.learning_rate),
            batch_size=task.batch,
            seed=seed,
            threads=threads,
            callbacks=[Stop()],
        )
        trainer.fit(train, labels, epochs=task.most, validation=(test, answers))
        return epochs

    return run


def prepare_table(path: Path, whole: bool) -> Callable[[], int]:
    """A function that makes inputs and labels of a table, or also what a training asks for besides."""
    settings = DataSettings(
        source="table", file=str(path), table=TableSettings(target="label"), preprocessing="none"
    )

    def run() -> int:
        if whole:
            load(settings, Path(), threads=len(os.sched_getaffinity(0)))
        else:
            source = source_of(path, settings.table)
            source.inputs(source.fit(np.arange(len(source))), None)
        return 1

    return run


def samples(task: Task) -> Sequence[NDArray[Any]]:
    """Training images and labels, test images and labels, by Ravine's own readers."""
    if task.folder is None:
        return read(task)
    found = []
    for part in ("train", "t10k"):
        images = read_idx(task.file(part, "images-idx3"))
        scaled = fit("scale", images).apply(images)
        found += [scaled.reshape(len(images), -1), read_idx(task.file(part, "labels-idx1"))]
    return found
