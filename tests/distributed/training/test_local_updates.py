"""Ranks that step alone and average their weights now and then, beside NumPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, load_experiment, resume_run, train_experiment
from ravine.distributed.communicator import Communicator
from ravine.distributed.ranks import Ranks
from ravine.distributed.settings import ParallelSettings
from ravine.layers import Dense
from ravine.optimizers import Momentum
from ravine.training.callback import Callback

OnRanks = Callable[..., list[Any]]
SAMPLES, BATCH, RATE, MOMENTUM, EPOCHS = 81, 12, 0.1, 0.9, 3  # seven batches an epoch, the last of 9


def samples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    inputs = random.normal(0, 1, (SAMPLES, 5))
    return inputs, inputs @ random.normal(0, 1, (5, 2)) + random.normal(0, 0.1, (SAMPLES, 2))


def reference(weights: np.ndarray, ranks: int, every: int) -> np.ndarray:
    """Linear regression by momentum: each rank has its rows; means of weights and velocities now and then."""
    inputs, targets = samples()
    own = [weights.copy() for _ in range(ranks)]
    velocity = [np.zeros_like(weights) for _ in range(ranks)]
    step = 0
    for _ in range(EPOCHS):
        for begin in range(0, SAMPLES, BATCH):
            end = min(begin + BATCH, SAMPLES)
            cuts = [begin - (-(rank * (end - begin)) // ranks) for rank in range(ranks + 1)]
            for rank in range(ranks):
                rows = slice(cuts[rank], cuts[rank + 1])
                errors = inputs[rows] @ own[rank].T - targets[rows]
                gradient = 2 * errors.T @ inputs[rows] / errors.size
                velocity[rank] = MOMENTUM * velocity[rank] - RATE * gradient
                own[rank] += velocity[rank]
            step += 1
            if step % every == 0 or end == SAMPLES:
                own = [np.mean(own, axis=0)] * ranks
                own = [one.copy() for one in own]
                velocity = [np.mean(velocity, axis=0)] * ranks
    return own[0]


def trained(world: Communicator, every: int) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = samples()
    trainer = Trainer(
        Sequential(Dense(2, use_bias=False)), loss="squared_error",
        optimizer=Momentum(learning_rate=RATE, momentum=MOMENTUM), batch_size=BATCH, shuffle=False,
        dtype="float64", threads=1, ranks=Ranks(world, ParallelSettings(average_every=every)),
    )  # fmt: skip
    network = trainer.compile((5,), SAMPLES)
    before = network.parameters["dense_1.weight"].copy()
    trainer.fit(inputs, targets, epochs=EPOCHS, validation=(inputs[:9], targets[:9]))
    return before, network.parameters["dense_1.weight"].copy()


@pytest.mark.parametrize("seconds", [1e-9, 10.0])
@pytest.mark.parametrize(("ranks", "every"), [(3, 3), (4, 5), (2, 5), (3, 100)])
def test_beside_numpy(
    ranks: int, every: int, seconds: float, on_ranks: OnRanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps a native call makes."""
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", seconds)
    for before, after in on_ranks(ranks, lambda world: trained(world, every)):
        np.testing.assert_allclose(after, reference(before, ranks, every), rtol=1e-11)
    [(before, alone)] = on_ranks(1, lambda world: trained(world, every))
    assert not np.allclose(alone, after, rtol=1e-6)  # it is another algorithm


class StopAt(Callback):
    """Asks for a stop after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        if trainer.position.step >= self.step:
            trainer.stop()


def test_resume(on_ranks: OnRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is one of averaged weights; from it the run goes on to the same bits."""
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)
    experiment = load_experiment(
        "digits", ["training.epochs=2", "optimizer=adam", "parallel.average_every=7", "compute.threads=1"]
    )

    def train(world: Communicator, folder: Path, *callbacks: Callback) -> Any:
        return train_experiment(
            experiment, folder=folder, world=world, callbacks=callbacks, stop_on_signal=False
        )

    whole = on_ranks(3, lambda world: train(world, tmp_path / "whole"))
    assert len({one.sha256 for one in whole}) == 1
    stopped = on_ranks(3, lambda world: train(world, tmp_path / "stopped", StopAt(24)))
    assert {(one.state, one.step) for one in stopped} == {("stopped", 28)}
    assert len({one.sha256 for one in stopped}) == 1
    resumed = on_ranks(3, lambda world: resume_run(stopped[0].path, world=world, stop_on_signal=False))
    assert {one.sha256 for one in resumed} == {whole[0].sha256}


@pytest.mark.parametrize("other", ["deterministic=true", "normalization=synchronized"])
def test_what_does_not_go_together(other: str, on_ranks: OnRanks, tmp_path: Path) -> None:
    experiment = load_experiment("digits", ["parallel.average_every=2", f"parallel.{other}"])
    with pytest.raises(InputError, match=r"^parallel\.average_every: ranks that step alone do not meet"):
        on_ranks(2, lambda world: train_experiment(experiment, parent=tmp_path, world=world))
