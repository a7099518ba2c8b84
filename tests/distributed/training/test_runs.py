"""Run folders of several ranks: commands, stops, and a resume on another number of ranks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Experiment, InputError, load_experiment, load_run, resume_run, train_experiment
from ravine.distributed.communicator import Communicator
from ravine.runs import RunFolder, send_command
from ravine.training import checkpoint as checkpoints
from ravine.training.callback import Callback
from ravine.training.trainer import Trainer

OnRanks = Callable[..., list[Any]]


class At(Callback):
    """Does something once, after a step, on one rank."""

    def __init__(self, step: int, action: Callable[[Trainer], None]) -> None:
        self.step = step
        self.action = action
        self.done = False

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        if trainer.position.step >= self.step and not self.done:
            self.done = True
            self.action(trainer)


def short(*overrides: str) -> Experiment:
    settings = ["training.epochs=6", "compute.dtype=float64", "compute.threads=1", "optimizer=adam"]
    return load_experiment("digits", [*settings, "data.split.validation_fraction=0.1", *overrides])


def train(
    on_ranks: OnRanks,
    ranks: int,
    parent: Path,
    experiment: Experiment,
    callbacks: Callable[[int], list[Callback]] = lambda rank: [],
) -> Any:
    def work(world: Communicator) -> Any:
        return train_experiment(
            experiment, parent=parent, world=world, callbacks=callbacks(world.rank), stop_on_signal=False
        )

    outcomes = on_ranks(ranks, work)
    assert len({(one.path, one.state, one.step, one.sha256) for one in outcomes}) == 1
    assert all(one.metrics == outcomes[0].metrics for one in outcomes)
    return outcomes[0]


def resume(on_ranks: OnRanks, ranks: int, path: Path, *overrides: str, **settings: Any) -> Any:
    outcomes = on_ranks(
        ranks,
        lambda world: resume_run(path, world=world, overrides=overrides, stop_on_signal=False, **settings),
    )
    assert len({(one.path, one.state, one.step, one.sha256) for one in outcomes}) == 1
    return outcomes[0]


def tensors(path: Path) -> dict[str, np.ndarray]:
    return checkpoints.load_latest(path).checkpoint.tensors


def assert_close(first: Path, second: Path, tolerance: float = 1e-11) -> None:
    one, other = tensors(first), tensors(second)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=0, atol=tolerance * (abs(values).max() or 1.0))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, on_ranks: OnRanks) -> Path:
    """The run of one rank without a stop."""
    path: Path = train(on_ranks, 1, tmp_path_factory.mktemp("unbroken"), short()).path
    return path


def test_resume_on_fewer_ranks(on_ranks: OnRanks, tmp_path: Path, unbroken: Path) -> None:
    stop = [At(60, Trainer.stop)]
    stopped = train(on_ranks, 4, tmp_path, short(), lambda rank: stop if rank == 0 else [])
    assert stopped.state == "stopped"
    assert 60 <= stopped.step < 240
    further = resume(on_ranks, 2, stopped.path, callbacks=[At(150, Trainer.stop)])
    assert further.state == "stopped"
    assert 150 <= further.step < 240
    last = resume(on_ranks, 1, stopped.path)
    assert last.state == "finished"
    assert_close(unbroken, last.path)
    with RunFolder.open(last.path).reader() as ours, RunFolder.open(unbroken).reader() as expected:
        assert ours.series("loss")[0].tolist() == expected.series("loss")[0].tolist()
        np.testing.assert_allclose(ours.series("loss")[1], expected.series("loss")[1], rtol=1e-6)
        assert len(ours.evaluations()) == len(expected.evaluations())


def test_the_same_number_of_ranks_resumes_to_the_same_bits(on_ranks: OnRanks, tmp_path: Path) -> None:
    whole = train(on_ranks, 3, tmp_path / "whole", short())
    stopped = train(on_ranks, 3, tmp_path, short(), lambda rank: [At(70, Trainer.stop)] if rank == 2 else [])
    assert stopped.state == "stopped"
    assert resume(on_ranks, 3, stopped.path).sha256 == whole.sha256


def test_a_run_of_ranks_is_a_run_like_any_other(on_ranks: OnRanks, tmp_path: Path) -> None:
    outcome = train(on_ranks, 2, tmp_path, short("statistics.level=full", "statistics.full_every=50"))
    loaded = load_run(outcome.path, "last")
    assert loaded.step == outcome.step
    with RunFolder.open(outcome.path).reader() as reader:
        meta = reader.state().meta
    assert meta["hosts"] == ["host0", "host1"]
    assert meta["grid"] == {"data": 2, "model": 1}
    log = (outcome.path / "log.txt").read_text()
    assert "2 ranks, 2 x 1 (data x model): rank 0 on host0, rank 1 on host1" in log


def test_ranks_that_round_differently_are_brought_together(
    on_ranks: OnRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift(trainer: Trainer) -> None:
        trainer.network.flat_parameters[...] += 1e-9  # what other processors might make of it in some steps

    kinds = iter(["compiled for avx512", "compiled for avx2"])
    monkeypatch.setattr("ravine.distributed.ranks.loops", lambda: next(kinds))
    apart = lambda rank: [At(60, drift)] if rank == 1 else []  # noqa: E731
    outcome = train(on_ranks, 2, tmp_path, short(), apart)  # asserts that all ranks end with the same weights
    log = (outcome.path / "log.txt").read_text()
    assert "they round differently, so weights are averaged at the end of each epoch" in log


def test_commands(on_ranks: OnRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause, single steps, an edit and a stop come to all ranks; a replay makes the edit after the same step."""  # noqa: E501
    parent = tmp_path / "runs"

    def steer(path: Path) -> None:
        answer = []
        for kind, payload in (
            ("pause", {}), ("step", {"count": 3}), ("set", {"name": "learning_rate", "value": 0.004}),
            ("checkpoint", {}), ("resume", {}),
        ):  # fmt: skip
            answer.append(send_command(path, kind, **payload))
        assert answer

    started = threading.Event()

    class Start(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            if trainer.ranks.leads and not started.is_set():
                started.set()
                steer(parent / "digits")

    edited = train(on_ranks, 3, parent, short(), lambda rank: [Start()])
    assert edited.state == "finished"
    with RunFolder.open(edited.path).reader() as reader:
        commands = reader.commands()
        assert [command.status for command in commands] == ["done"] * 5
        taken = next(command.taken_step for command in commands if command.kind == "set")
    # One rank that makes the same edit after the same step.
    edit = At(taken, lambda trainer: trainer.meeting.edit("learning_rate", 0.004))
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)  # a step a call
    one = train(on_ranks, 1, tmp_path / "one", short(), lambda rank: [edit])
    assert_close(one.path, edited.path)


def test_grids_that_cannot_be(on_ranks: OnRanks, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"parallel\.data: is 2, .* but there are 3"):
        train(on_ranks, 3, tmp_path, short("parallel.data=2"))
    path = train(on_ranks, 2, tmp_path, short("parallel.data=2", "training.epochs=1")).path
    with pytest.raises(InputError, match=r"parallel\.data: is 2, .* but there are 3"):
        resume(on_ranks, 3, path, "training.epochs=2")
    assert resume(on_ranks, 3, path, "training.epochs=2", "parallel.data=0").state == "finished"
