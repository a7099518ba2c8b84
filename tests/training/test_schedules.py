"""Schedules in a training: what each step gets, what drives them, live edits, resume to the same bits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine import Callback, InputError, Trainer, _core, schedules
from ravine.errors import CheckpointError
from ravine.experiment import Experiment
from ravine.runs import RunFolder, send_command, wait_for_reply
from ravine.training import checkpoint as checkpoints
from ravine.training.preparation import build, load_parts
from ravine.training.schedules import Schedules
from ravine.training.session import resume_run, train_experiment

RANDOM = np.random.default_rng(2)
INPUTS = RANDOM.normal(size=(40, 3)).astype(np.float32)
LABELS = RANDOM.integers(0, 2, 40)
# Every evaluation but the first is no improvement: it acts after two of them, then rests.
IMPATIENT = (
    "schedules.learning_rate={type='on_plateau', patience=1, factor=0.5, threshold=100.0, "
    "threshold_mode='absolute', cooldown=1, warmup=2.0}"
)


def classifier(**settings: Any) -> Trainer:
    model = ravine.Sequential(ravine.layers.Dense(2))
    chosen: dict[str, Any] = {"optimizer": "momentum", "loss": "softmax_cross_entropy", "batch_size": 8}
    return Trainer(model, **{**chosen, **settings})


def rates(run: Path) -> dict[int, np.float32]:
    with RunFolder.open(run).reader() as reader:
        steps, values = reader.series("learning_rate")
    return dict(zip(steps.tolist(), values, strict=True))


def changes(run: Path) -> list[tuple[int, dict[str, Any]]]:
    with RunFolder.open(run).reader() as reader:
        return [(event.step, event.payload) for event in reader.events() if event.kind == "schedule"]


@pytest.fixture(autouse=True)
def step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control comes back after every step, so that a run can be stopped at any."""
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        if trainer.position.step == self.step:
            trainer.stop()


def test_every_step_has_the_value_of_its_schedule() -> None:
    chosen = schedules.Cosine(warmup=1.0, minimum=0.01)
    trainer = classifier(
        optimizer=ravine.optimizers.Momentum(0.5),
        schedules={"learning_rate": chosen, "momentum": schedules.LinearRamp(0.5)},
    )
    history = trainer.fit(INPUTS, LABELS, epochs=4)
    expected = _core.schedule_values(chosen, 0.5, 20, 5)
    assert history["learning_rate"].tolist() == expected.astype(np.float32).tolist()
    last = _core.schedule_values(schedules.LinearRamp(0.5), 0.9, 20, 5)[-1]
    assert trainer.optimizer.settings["momentum"] == last
    # A second call is a run of its own, of the same base value.
    again = trainer.fit(INPUTS, LABELS, epochs=4)
    assert again["learning_rate"].tolist() == history["learning_rate"].tolist()


def test_schedules_and_functions_side_by_side() -> None:
    given = {"learning_rate": schedules.ExponentialDecay(0.5), "momentum": lambda step: 0.5 + step / 100}
    trainer = classifier(schedules=given)
    trainer.fit(INPUTS, LABELS, epochs=2)
    assert trainer.optimizer.settings["momentum"] == 0.59


def test_plateau_acts_and_is_recorded(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment(IMPATIENT), parent=tmp_path)
    acted = changes(outcome.path)
    assert [step for step, _ in acted] == [22 * 3, 22 * 6]
    assert acted[0][1] == {
        "name": "learning_rate", "schedule": "on_plateau", "before": 0.02, "value": 0.01,
    }  # fmt: skip
    found = rates(outcome.path)
    assert found[1] == np.float32(0.002)  # a tenth, where the warm-up begins
    assert found[22 * 3] == np.float32(0.02)
    assert found[22 * 3 + 1] == found[22 * 6] == np.float32(0.01)


@pytest.mark.parametrize("step", [31, 22 * 2, 22 * 3, 22 * 3 + 5])
def test_resume_in_the_middle_of_a_plateau(
    experiment: Callable[..., Experiment], tmp_path: Path, step: int
) -> None:
    """Stopped within the warm-up, while waiting, at the epoch's end that acts, and while resting."""
    whole = train_experiment(experiment(IMPATIENT), folder=tmp_path / "whole")
    part = train_experiment(experiment(IMPATIENT), folder=tmp_path / "part", callbacks=[StopAt(step)])
    assert (part.state, part.step) == ("stopped", step)
    resumed = resume_run(part.path)
    assert resumed.state == "finished"
    assert rates(part.path) == rates(whole.path)
    assert changes(part.path) == changes(whole.path)
    assert resumed.sha256 == whole.sha256


@pytest.mark.parametrize("kind", ["bold_driver", "one_cycle"])
def test_resume_with_other_schedules(
    experiment: Callable[..., Experiment], tmp_path: Path, kind: str
) -> None:
    described = experiment(f"schedules.learning_rate={kind}", "schedules.momentum=counter_cycle")
    whole = train_experiment(described, folder=tmp_path / "whole")
    part = train_experiment(described, folder=tmp_path / "part", callbacks=[StopAt(50)])
    assert resume_run(part.path).sha256 == whole.sha256
    assert rates(part.path) == rates(whole.path)


def test_bold_driver_follows_the_training_loss() -> None:
    trainer = classifier(
        schedules={"learning_rate": "bold_driver"}, optimizer=ravine.optimizers.Momentum(0.9)
    )
    history = trainer.fit(INPUTS, LABELS, epochs=12)
    losses = history.metric("loss", "train")
    values = [0.9]
    for before, loss in itertools.pairwise(losses[:-1]):
        values.append(values[-1] * (1.05 if loss < before else 0.5))
    assert history["learning_rate"][5::5].tolist() == np.float32(values).tolist()
    assert 0.5 in np.round(np.divide(values[1:], values[:-1]), 12)


def test_a_live_edit_replaces_the_base_value(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    sent: list[int] = []

    def listener(progress: Any) -> None:
        if progress.step and not sent:
            sent.append(send_command(tmp_path / "run", "set", name="learning_rate", value=0.05))

    described = experiment("schedules.learning_rate={type='cosine', minimum=0.001}")
    outcome = train_experiment(described, parent=tmp_path, listener=listener, callbacks=[StopAt(70)])
    reply = wait_for_reply(outcome.path, sent[0], 1)
    assert reply.status == "done"
    assert "as the base value of its schedule 'cosine'" in reply.reply
    resume_run(outcome.path)
    found, step = rates(outcome.path), reply.taken_step
    assert step is not None
    before, after = (
        _core.schedule_values(described.schedules["learning_rate"], base, 132, 22).astype(np.float32)
        for base in (0.02, 0.05)
    )
    assert list(found.values()) == [*before[:step], *after[step:]]


def test_an_override_replaces_the_base_value(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    described = experiment("schedules.learning_rate=step_decay")
    outcome = train_experiment(described, parent=tmp_path, callbacks=[StopAt(40)])
    resume_run(
        outcome.path, overrides=["optimizer.learning_rate=0.0625", "schedules.learning_rate.period=5.0"]
    )
    found = rates(outcome.path)
    assert found[40] == np.float32(0.02)
    assert found[41] == found[110] == np.float32(0.0625)
    assert found[111] == np.float32(0.00625)


def test_an_edit_of_what_a_function_gives_is_refused() -> None:
    optimizer = _core.Optimizer("momentum")
    with pytest.raises(InputError, match="momentum: cannot be edited: a function"):
        Schedules({"momentum": lambda step: 0.5}, optimizer).edit("momentum", 0.1)
    assert Schedules({}, optimizer).edit("momentum", 0.1) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning_rat": "cosine"}, "schedules.learning_rat: .*did you mean 'learning_rate'?"),
        ({"beta1": "cosine"}, "schedules.beta1: momentum has no such number"),
        ({"damped": "cosine"}, "schedules.damped: momentum has no such number"),
        ({"learning_rate": "cosin"}, "schedules.learning_rate.type: .*did you mean 'cosine'?"),
        ({"learning_rate": {"type": "cosine", "warmup": -1}}, "schedules.learning_rate.warmup: must be at"),
        ({"learning_rate": {"type": "cosine", "warmup": 9}}, "schedules.learning_rate.warmup: .*shorter"),
        ({"learning_rate": "on_plateau"}, "schedules.learning_rate: on_plateau waits for the loss"),
        ({"momentum": "bold_driver"}, "schedules.momentum: a bold driver is for the learning rate"),
        (
            {"momentum": {"type": "one_cycle", "max_factor": 2.0}},
            "schedules.momentum: must be from 0 and below 1",
        ),
        ({"clip_norm": {"type": "linear_ramp", "start": 0.1}}, ""),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    def train() -> None:
        classifier(schedules=given).fit(INPUTS, LABELS, epochs=2)

    if words:
        with pytest.raises(InputError, match=words):
            train()
    else:
        train()


def test_a_plateau_without_validation_samples_leaves_no_folder(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    described = experiment("schedules.learning_rate=on_plateau", "data.split.validation_fraction=0.0")
    with pytest.raises(InputError, match="there are none; set data"):
        train_experiment(described, parent=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "state",
    [
        7,
        {"learning_rate": 7},
        {"learning_rate": {"type": "on_plateau", "base": "high", "driver": {}}},
        {"learning_rate": {"type": "on_plateau", "base": 0.1, "driver": {"best": 1.0}}},
        {
            "learning_rate": {
                "type": "on_plateau",
                "base": 0.1,
                "driver": {"best": "x", "waited": 0, "resting": 0},
            }
        },
    ],
)
def test_a_state_that_cannot_be_is_refused(state: object) -> None:
    with pytest.raises(CheckpointError, match="schedule"):
        Schedules({"learning_rate": "on_plateau"}, _core.Optimizer("momentum")).restore(state)


def test_the_checkpoint_holds_the_state(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment(IMPATIENT), parent=tmp_path, callbacks=[StopAt(22 * 3 + 5)])
    loaded = checkpoints.load_latest(outcome.path)
    kept: Any = loaded.checkpoint.state["schedule_state"]
    assert kept["learning_rate"]["base"] == 0.01
    assert kept["learning_rate"]["driver"]["resting"] == 1
    described = experiment(IMPATIENT)
    trainer = build(described, load_parts(described))
    trainer.schedules.restore(kept)
    assert trainer.schedules.state() == kept
