"""Rules, schedules, callbacks and arrays of one's own in a run folder: recorded, given again to resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import (
    Callback,
    InputError,
    Trainer,
    custom_optimizer,
    load_experiment,
    load_run,
    make_optimizer,
    resume_run,
    train_experiment,
)
from ravine.experiment import Experiment
from ravine.runs import RunFolder, send_command, wait_for_reply
from ravine.training import checkpoint as checkpoints


class Killed(BaseException):
    pass


def heavy_ball(
    parameters: Any, gradients: Any, state: dict[str, Any], settings: Mapping[str, float], step: int
) -> None:
    state["velocity"] *= settings["momentum"]
    state["velocity"] += settings["learning_rate"] * gradients
    parameters -= state["velocity"]


def rule(learning_rate: float = 0.02, **settings: float) -> Any:
    numbers = {"momentum": 0.9, **settings}
    return custom_optimizer(heavy_ball, slots=["velocity"], learning_rate=learning_rate, l2=1e-4, **numbers)


def values(run: Path) -> bytes:
    with RunFolder.open(run).reader() as reader:
        return bytes(reader.tail(limit=10**6).values.tobytes())


class Break(Callback):
    """Stops or kills a run in the middle of its third epoch."""

    def __init__(self, killed: bool) -> None:
        self.killed = killed

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        trainer.limit_steps = 1
        if trainer.position.step > 50:
            if self.killed:
                raise Killed
            trainer.stop()


def broken(
    plan: Experiment, parent: Path, monkeypatch: pytest.MonkeyPatch, killed: bool = False, **parts: Any
) -> Path:
    with monkeypatch.context() as patch:
        patch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)
        if killed:
            with pytest.raises(Killed):
                train_experiment(plan, parent=parent, callbacks=[Break(True)], **parts)
        else:
            outcome = train_experiment(plan, parent=parent, callbacks=[Break(False)], **parts)
            assert outcome.state == "stopped"
            assert outcome.step == 51
    return parent / "run"


@pytest.mark.parametrize("killed", [False, True])
def test_a_rule_of_ones_own_is_resumed_to_the_same_bits(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    plan = experiment("regularization.clip_norm=0.0")
    unbroken = train_experiment(plan, parent=tmp_path / "unbroken", optimizer=rule())
    built_in = train_experiment(plan, parent=tmp_path / "built in")
    assert unbroken.metrics["test"]["loss"] == pytest.approx(built_in.metrics["test"]["loss"], rel=1e-3)
    run = broken(plan, tmp_path, monkeypatch, killed, optimizer=rule())
    # The numbers are the run's: those that the rule is made with this time do not matter.
    resumed = resume_run(run, optimizer=rule(5.0, momentum=0.1))
    assert resumed.sha256 == unbroken.sha256
    assert resumed.metrics == unbroken.metrics
    assert values(run) == values(unbroken.path)


def test_what_is_recorded_of_it(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path, optimizer=rule(0.03))
    recorded = load_experiment(outcome.path)
    assert recorded.optimizer == {"type": "custom", "learning_rate": 0.03, "momentum": 0.9}
    assert (recorded.regularization.l2, recorded.regularization.clip_norm) == (1e-4, 0.0)
    loaded = load_run(outcome.path)
    assert loaded.step == 22
    with np.load(tmp_path / "data.npz") as data:
        assert loaded.evaluate(data["inputs"], data["targets"])["accuracy"] > 0.3
    resumed = resume_run(
        outcome.path, optimizer=rule(), overrides=["training.epochs=2", "optimizer.momentum=0.5"]
    )
    assert resumed.step == 44
    with RunFolder.open(outcome.path).reader() as reader:
        _, rates = reader.series("learning_rate")
    assert (rates == np.float32(0.03)).all()
    state = checkpoints.load_latest(outcome.path).checkpoint.state
    assert state["optimizer"] == {"type": "custom", "learning_rate": 0.03, "momentum": 0.5}


def test_a_rule_that_is_not_given_again(
    experiment: Callable[..., Experiment], tmp_path: Path, trainer_process: Callable[..., Any]
) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path / "runs", optimizer=rule())
    longer = ["training.epochs=2"]
    with pytest.raises(InputError, match=r'optimizer\.type: is "custom".*resume_run\(path, optimizer='):
        resume_run(outcome.path, overrides=longer)
    with pytest.raises(InputError, match=r"optimizer: .*custom \(learning_rate, momentum\), but adam .* was"):
        resume_run(outcome.path, overrides=longer, optimizer=make_optimizer("adam"))
    with pytest.raises(InputError, match=r"but custom \(friction, learning_rate, momentum\) was given"):
        resume_run(outcome.path, overrides=longer, optimizer=rule(friction=0.1))
    ended = trainer_process("resume", None, "--set", longer[0]).end()
    assert ended["code"] == 2
    assert 'optimizer.type: is "custom", a rule in Python' in ended["stderr"]
    assert resume_run(outcome.path, overrides=longer, optimizer=rule()).step == 44


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{ type = "custom" }', r"optimizer\.learning_rate: is missing"),
        (
            '{ type = "custom", learning_rate = "fast" }',
            r"optimizer\.learning_rate: is 'fast'; expected a num",
        ),
        ('{ type = "custom", learning_rate = 0.1, k = nan }', r"optimizer\.k: is nan; expected a number"),
        ('{ type = "custom", learning_rate = 0.1, k = true }', r"optimizer\.k: is True; expected a number"),
        ('{ type = "custom", learning_rate = 0.1 }', r"optimizer\.type: is \"custom\""),
    ],
)
def test_a_file_cannot_hold_a_rule(
    experiment: Callable[..., Experiment], tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        train_experiment(experiment(f"optimizer={text}"), parent=tmp_path)


def test_a_live_edit_of_a_rule(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    run = tmp_path / "run"
    numbers: list[int] = []

    class Edit(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            if not numbers:
                numbers.append(send_command(run, "set", name="momentum", value=0.25))
                numbers.append(send_command(run, "set", name="friction", value=0.25))

    train_experiment(experiment("training.epochs=2"), parent=tmp_path, optimizer=rule(), callbacks=[Edit()])
    assert wait_for_reply(run, numbers[0], 1).status == "done"
    assert wait_for_reply(run, numbers[1], 1).status == "refused"
    assert checkpoints.load_latest(run).checkpoint.state["optimizer"]["momentum"] == 0.25


def test_schedules_are_given_again(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = {"learning_rate": lambda step: 0.05 / (1 + step)}
    unbroken = train_experiment(experiment(), parent=tmp_path / "unbroken", schedules=schedules)
    run = broken(experiment(), tmp_path, monkeypatch, schedules=schedules)
    with pytest.raises(InputError, match=r"schedules\.learning_rate: .*give it again"):
        resume_run(run)
    assert resume_run(run, schedules=schedules).sha256 == unbroken.sha256
    with RunFolder.open(run).reader() as reader:
        steps, rates = reader.series("learning_rate")
    np.testing.assert_array_equal(rates, np.array([0.05 / step for step in steps], np.float32))


def test_what_a_callback_changes_is_in_the_checkpoint(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Halve(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            trainer.optimizer.set("learning_rate", 0.02 / 2**trainer.position.epoch)

    class HalveAndKill(Halve):
        def on_steps(self, trainer: Trainer, *_: object) -> None:
            if trainer.position.epoch == 2 and trainer.position.batch:
                raise Killed

    unbroken = train_experiment(experiment(), parent=tmp_path / "unbroken", callbacks=[Halve()])
    with pytest.raises(Killed):
        train_experiment(experiment(), parent=tmp_path, callbacks=[HalveAndKill()])
    resumed = resume_run(tmp_path / "run", callbacks=[Halve()])
    assert resumed.sha256 == unbroken.sha256


def test_arrays(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    inputs, labels = random.normal(size=(200, 12)), random.integers(0, 5, 200)
    data, test = (inputs, labels), (inputs[:50] + 1, labels[:50])
    settings = [
        'data={ source = "arrays", split = { validation_fraction = 0.2 } }',
        "training.epochs=1",
    ]
    plan = experiment(*settings)
    outcome = train_experiment(plan, parent=tmp_path, data=data, test_data=test)
    assert set(outcome.metrics) == {"train", "validation", "test"}
    evaluated = load_run(outcome.path, "latest").evaluate(*test)
    assert evaluated == outcome.metrics["test"]
    longer = ["training.epochs=2"]
    with pytest.raises(InputError, match=r"data\.source: is \"arrays\".*data=\(inputs, targets\)"):
        resume_run(outcome.path, overrides=longer)
    with pytest.raises(InputError, match="the data is not what the run was trained on"):
        resume_run(outcome.path, overrides=longer, data=(inputs + 1, labels), test_data=test)
    resumed = resume_run(outcome.path, overrides=longer, data=data, test_data=test)
    whole = train_experiment(
        experiment(settings[0], *longer), parent=tmp_path / "whole", data=data, test_data=test
    )
    assert resumed.sha256 == whole.sha256
    with pytest.raises(InputError, match=r"data: row 3: label 9 is outside 0\.\.4"):
        train_experiment(plan, parent=tmp_path, data=(inputs, np.where(np.arange(200) == 3, 9, labels)))
    with pytest.raises(InputError, match='arrays were given; use "arrays"'):
        train_experiment(experiment(), parent=tmp_path, data=data)
