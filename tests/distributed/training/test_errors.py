"""Errors of some ranks end all of them, with one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, NotFiniteError, RavineError, load_experiment, train_experiment
from ravine.distributed.communicator import Communicator
from ravine.experiment import Experiment
from ravine.runs import RunFolder
from ravine.training.callback import Callback
from ravine.training.trainer import Trainer

OnRanks = Callable[..., list[Any]]


def test_errors_of_several_ranks(on_ranks: OnRanks) -> None:
    def work(world: Communicator) -> str:
        with world.together():
            if world.rank in (1, 2):
                raise InputError("no such file", file="a.npz", key="data.file", row=3)
            world.gather(np.float32(1.0))
        return ""

    with pytest.raises(InputError) as raised:
        on_ranks(3, work)
    error = raised.value
    assert str(error) == "rank 1 on host1 and rank 2 on host2: a.npz: data.file: row 3: no such file"
    assert error.agreed


def test_an_error_of_all_ranks_is_one(on_ranks: OnRanks) -> None:
    def work(world: Communicator) -> None:
        with world.together(), world.together():
            raise RavineError("bad")

    with pytest.raises(RavineError, match=r"^bad$"):
        on_ranks(3, work)


def train(world: Communicator, experiment: Experiment, parent: Path, **settings: Any) -> Any:
    return train_experiment(experiment, parent=parent, world=world, **settings)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=3"], "^seed: the ranks disagree: 37 for rank 0 on host0, but 3 for rank 1 on host1; "),
        (
            ["model.layers.0.units=7"],
            r"^model\.layers\.0\.units: the ranks disagree: 100 .*, but 7 for rank 1 ",
        ),
        (["compute.dtype=float64"], r"^compute\.dtype: the ranks disagree: 'float32' .*, but 'float64' for"),
        (["parallel.data=1"], r"^parallel\.data: the ranks disagree: 0 for"),
        (["optimizer=adam"], r"^optimizer\.type: the ranks disagree: 'gradient_descent' .*, but 'adam' for"),
    ],
)
def test_experiments_that_differ(
    overrides: list[str], message: str, on_ranks: OnRanks, tmp_path: Path
) -> None:
    def work(world: Communicator) -> None:
        train(world, load_experiment("digits", overrides if world.rank else []), tmp_path)

    with pytest.raises(InputError, match=message):
        on_ranks(2, work)
    assert not list(tmp_path.iterdir())


def test_versions_that_differ(on_ranks: OnRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        """The compiled module, which says of itself what it is asked for on another rank."""

        versions = iter(["0.1.0", "0.2.0"])

        def __getattr__(self, name: str) -> Any:
            return next(self.versions)

    monkeypatch.setattr("ravine.training.sharing._core", Module())
    with pytest.raises(InputError, match=r"^Ravine\.version: the ranks disagree: '0\.\d\.0' for rank 0"):
        on_ranks(2, lambda world: train(world, load_experiment("digits"), tmp_path))


def test_data_that_differs(on_ranks: OnRanks, tmp_path: Path) -> None:
    for rank in range(3):
        inputs = np.random.default_rng(0).normal(0, 1, (40, 2))
        inputs[7, 1] += 1e-9 * (rank == 2)
        np.savez(tmp_path / f"{rank}.npz", inputs=inputs, targets=np.arange(40) % 2)

    def work(world: Communicator) -> None:
        file = tmp_path / f"{world.rank}.npz"
        text = ["data.source=npz", f"data.file={file}", "model.layers.1.units=2"]
        train(world, load_experiment("digits", text), tmp_path / "runs")

    who = "for rank 0 on host0 and rank 1 on host1"
    pattern = rf"^data\.hash: the ranks disagree: '\w+' {who}, but '\w+' for rank 2 on"
    with pytest.raises(InputError, match=pattern):
        on_ranks(3, work)


class Fails(Callback):
    """Raises an error on one rank."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.position.epoch == 2:
            raise self.error


@pytest.mark.parametrize("rank", [0, 1])
def test_a_callback_that_fails(rank: int, on_ranks: OnRanks, tmp_path: Path) -> None:
    raised: list[str] = []

    def work(world: Communicator) -> None:
        callbacks = [Fails(OSError(28, "No space left on device", "x"))] if world.rank == rank else []
        try:
            train(world, load_experiment("digits"), tmp_path, callbacks=callbacks)
        except Exception as error:
            raised.append(str(error))

    on_ranks(2, work)
    assert f"rank {rank} on host{rank}: x: no space left on device" in raised
    with RunFolder.open(tmp_path / "digits").reader() as reader:
        state = reader.state()
    assert state.state == "crashed"
    assert "o space left on device" in state.reason


def test_not_finite(on_ranks: OnRanks, tmp_path: Path) -> None:
    """Only the rows of one rank are at fault; all of them stop, and one message says whose."""
    inputs = np.random.default_rng(0).normal(0, 1, (40, 2))
    inputs[31] = 1e300
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=np.arange(40) % 2)
    text = [
        "data.source=npz", f"data.file={tmp_path / 'a.npz'}", "model.layers.1.units=2",
        "compute.dtype=float64",
        "training.shuffle=false", "data.split.test_fraction=0", "data.preprocessing=none",
        "model.layers.0.activation=relu", "optimizer.learning_rate=1e10", "training.batch_size=40",
    ]  # fmt: skip
    raised = []

    def work(world: Communicator) -> None:
        with pytest.raises(NotFiniteError) as caught:
            train(world, load_experiment("digits", text), tmp_path / "runs")
        raised.append(str(caught.value).partition("became")[2])

    on_ranks(4, work)
    assert len(raised) == 4
    assert len(set(raised)) == 1
