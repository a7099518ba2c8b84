"""Between an epoch's last step and its end: saved, stopped or killed there, the bits are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Callback, Sequential, Trainer
from ravine.errors import InputError
from ravine.experiment import Experiment
from ravine.layers import Dense
from ravine.runs import RunFolder, send_command
from ravine.training import checkpoint as checkpoints
from ravine.training.recorder import Recorder
from ravine.training.session import resume_run, train_experiment


class Killed(BaseException):
    """What ends a process without a word: nothing is saved after it."""


def record(run: Path) -> dict[str, Any]:
    """What must not depend on where the run was broken."""
    with RunFolder.open(run).reader() as reader:
        rows = reader.tail(limit=10**6)
        evaluations = [(e.step, e.epoch, e.split, e.metrics) for e in reader.evaluations()]
    last = checkpoints.load_latest(run).checkpoint
    best = checkpoints.load(checkpoints.best_path(run))
    position = {name: value for name, value in last.state["position"].items() if name != "seconds"}
    return {
        "tensors": checkpoints.digest(last.tensors),
        "position": position,
        "best": (best.step, checkpoints.digest(best.tensors)),
        "values": rows.values.tobytes(),
        "steps": rows.steps.tolist(),
        "evaluations": evaluations,
    }


class AtLastStep(Callback):
    """Sends a command when the steps of an epoch are done, and may kill the process at a later event."""

    def __init__(self, run: Path, epoch: int, kind: Any, killed_at: str = "") -> None:
        self.run, self.epoch, self.kind, self.killed_at = run, epoch, kind, killed_at
        self.sent = False

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        position, plan = trainer.position, trainer.plan
        assert plan is not None
        if position.epoch == self.epoch - 1 and position.batch == plan.source.batches_per_epoch:
            send_command(self.run, self.kind)
            self.sent = True

    def on_evaluation(self, *_: object) -> None:
        if self.sent and self.killed_at == "evaluation":
            raise Killed

    def on_epoch_end(self, *_: object) -> None:
        if self.sent and self.killed_at == "epoch end":
            raise Killed


@pytest.mark.parametrize("drop_last", ["true", "false"])
@pytest.mark.parametrize("killed_at", ["evaluation", "epoch end"])
@pytest.mark.parametrize("epoch", [2, 4])
def test_a_checkpoint_of_an_epochs_last_step_is_resumed(
    experiment: Callable[..., Experiment], tmp_path: Path, drop_last: str, killed_at: str, epoch: int
) -> None:
    plan = experiment("training.epochs=4", f"training.drop_last={drop_last}")
    unbroken = train_experiment(plan, parent=tmp_path / "unbroken")
    listener = AtLastStep(tmp_path / "run", epoch, "checkpoint", killed_at)
    with pytest.raises(Killed):
        train_experiment(plan, parent=tmp_path, callbacks=[listener])
    run = tmp_path / "run"
    saved = checkpoints.load_latest(run).checkpoint.state["position"]
    batches = 21 if drop_last == "true" else 22
    assert (saved["epoch"], saved["batch"]) == (epoch - 1, batches)
    resumed = resume_run(run)
    assert resumed.sha256 == unbroken.sha256
    assert resumed.metrics == unbroken.metrics
    assert record(run) == record(unbroken.path)


def test_the_last_save_is_of_the_end(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """A checkpoint at the very last step does not stand in for the one after the end."""
    listener = AtLastStep(tmp_path / "run", 2, "checkpoint")
    outcome = train_experiment(
        experiment("training.epochs=2", "training.checkpoint_seconds=1000"),
        parent=tmp_path,
        callbacks=[listener],
    )
    position = checkpoints.load_latest(outcome.path).checkpoint.state["position"]
    assert (position["epoch"], position["batch"], position["step"]) == (2, 0, 44)


def test_a_wrong_batch_size_is_still_found(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    listener = AtLastStep(tmp_path / "run", 2, "checkpoint", "evaluation")
    with pytest.raises(Killed):
        train_experiment(experiment(), parent=tmp_path, callbacks=[listener])
    file = tmp_path / "run" / "experiment.toml"
    file.write_text(file.read_text().replace("batch_size = 32", "batch_size = 16"))
    with pytest.raises(InputError, match=r"training\.batch_size: is 16, but epoch 2 began with"):
        resume_run(tmp_path / "run")


class AtPause(Callback):
    """Sends a command at the first pause of an evaluation."""

    def __init__(self, run: Path, kind: str) -> None:
        self.run, self.kind, self.pauses, self.done = run, kind, 0, False

    def on_pause_of_evaluation(self, trainer: Trainer) -> None:
        self.pauses += 1
        if not self.done:
            send_command(self.run, self.kind)  # type: ignore[arg-type]
            self.done = True


@pytest.mark.parametrize("kind", ["stop", "checkpoint"])
def test_commands_are_obeyed_within_an_evaluation(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("ravine.training.evaluation.SLICE_FLOPS", 0)  # 256 rows a slice: 602 rows are three
    plan = experiment("training.epochs=3", "data.split.validation_fraction=0.6")
    quiet = AtPause(tmp_path / "unbroken" / "run", "resume")
    unbroken = train_experiment(plan, parent=tmp_path / "unbroken", callbacks=[quiet])
    assert quiet.pauses == 3 * 2
    listener = AtPause(tmp_path / "run", kind)
    outcome = train_experiment(plan, parent=tmp_path, callbacks=[listener])
    if kind == "stop":
        assert listener.pauses == 1
        assert (outcome.state, outcome.epochs, outcome.metrics) == ("stopped", 1.0, {})
        assert resume_run(outcome.path).state == "finished"
    assert record(outcome.path) == record(unbroken.path)


def test_a_stop_within_the_evaluation_of_the_test_samples(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ravine.training.evaluation.SLICE_FLOPS", 0)
    split = ["data.split.validation_fraction=0.1", "data.split.test_fraction=0.6", "training.epochs=1"]
    outcome = train_experiment(
        experiment(*split), parent=tmp_path, callbacks=[AtPause(tmp_path / "run", "stop")]
    )
    assert outcome.state == "stopped"
    assert "test" not in outcome.metrics
    resumed = resume_run(outcome.path)
    assert resumed.state == "finished"
    assert resumed.sha256 == outcome.sha256
    assert "test" in resumed.metrics


def test_slices_give_the_means_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    inputs, labels = random.normal(size=(1003, 5)), random.integers(0, 7, 1003)
    trainer = Trainer(
        Sequential(Dense(7)), loss="softmax_cross_entropy", optimizer="adam", dtype="float64", seed=1
    )
    trainer.fit(inputs, labels, epochs=1)
    whole = trainer.evaluate(inputs, labels)
    monkeypatch.setattr("ravine.training.evaluation.SLICE_FLOPS", 0)
    sliced = trainer.evaluate(inputs, labels)
    assert (sliced["accuracy"], sliced["top5"]) == (whole["accuracy"], whole["top5"])
    assert sliced["loss"] == pytest.approx(whole["loss"], rel=1e-14)
    probabilities = trainer.predict(inputs)
    assert sliced["accuracy"] == (probabilities.argmax(axis=1) == labels).mean()
    expected = -np.log(probabilities[np.arange(1003), labels]).mean()
    assert sliced["loss"] == pytest.approx(expected, rel=1e-12)


def test_settings_given_to_a_resume_that_was_killed_at_once(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file holds the new rate already, but no checkpoint does: a plain resume follows the file."""
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_start", killed)
        with pytest.raises(Killed):
            resume_run(outcome.path, overrides=["training.epochs=2", "optimizer.learning_rate=0.25"])
    assert "learning_rate = 0.25" in (outcome.path / "experiment.toml").read_text()
    assert checkpoints.load_latest(outcome.path).checkpoint.state["optimizer"]["learning_rate"] == 0.02
    resume_run(outcome.path)
    with RunFolder.open(outcome.path).reader() as reader:
        steps, rates = reader.series("learning_rate")
        settings = [event.payload for event in reader.events() if event.kind == "settings"]
    assert steps[-1] == 44
    assert (rates[steps > 22] == np.float32(0.25)).all()
    assert settings[-1] == {"set": ["learning_rate=0.25"]}


def test_the_best_of_a_branch_that_is_left_goes(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = train_experiment(experiment("training.keep_checkpoints=9"), parent=tmp_path)
    run, best = outcome.path, checkpoints.best_path(outcome.path)
    assert checkpoints.load(best).step > 44
    checkpoints.discard_after(run, 44)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_start", killed)
        with pytest.raises(Killed):  # the same settings: the same bits come again, and the best may stay
            resume_run(run)
        assert best.exists()
        with pytest.raises(Killed):
            resume_run(run, overrides=["optimizer.learning_rate=0.4"])
        assert not best.exists()
    resume_run(run)
    with RunFolder.open(run).reader() as reader:
        losses = {e.step: e.metrics["loss"] for e in reader.evaluations() if e.split == "validation"}
    later = {step: loss for step, loss in losses.items() if step > 44}
    assert checkpoints.load(best).step == min(later, key=lambda step: later[step])
