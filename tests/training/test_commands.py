"""Commands and signals to a running trainer, from another process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.errors import InputError, RunError
from ravine.experiment import Experiment
from ravine.runs import RunFolder, send_command, wait_for_reply
from ravine.training import checkpoint as checkpoints
from ravine.training.session import resume_run, train_experiment
from ravine.training.trainer import Trainer

LONG = ["--set", "training.epochs=100000", "--set", "training.checkpoint_seconds=1000"]


def order(run: Path, kind: Any, **payload: Any) -> Any:
    return wait_for_reply(run, send_command(run, kind, **payload), 30)


def state(run: Path) -> Any:
    with RunFolder.open(run).reader() as reader:
        return reader.state()


def events(run: Path) -> list[tuple[str, dict[str, Any]]]:
    with RunFolder.open(run).reader() as reader:
        return [(event.kind, event.payload) for event in reader.events()]


@pytest.fixture
def running(trainer_process: Callable[..., Any], experiment_file: Path) -> Any:
    process = trainer_process("train", experiment_file, *LONG)
    process.wait_until(process.training, "training")
    process.wait_until(lambda: state(process.run).state == "running", "running")
    return process


def test_each_command(running: Any) -> None:
    run = running.run
    paused = order(run, "pause")
    assert paused.status == "done"
    running.wait_until(lambda: state(run).state == "paused", "paused")
    step = state(run).step
    time.sleep(0.2)
    assert state(run).step == step == paused.taken_step

    assert order(run, "step", count=3).status == "done"
    running.wait_until(lambda: state(run).step == step + 3, "three steps")
    time.sleep(0.2)
    assert state(run).step == step + 3
    assert state(run).state == "paused"

    saved = order(run, "checkpoint")
    assert saved.reply == f"saved at step {step + 3}"
    assert checkpoints.load_latest(run).checkpoint.step == step + 3

    edited = order(run, "set", name="learning_rate", value=0.125)
    assert edited.status == "done"
    assert edited.reply == f"learning_rate = 0.125 from step {step + 4}"
    assert order(run, "resume").status == "done"
    running.wait_until(lambda: state(run).step > step + 4, "going on")
    assert state(run).state == "running"
    with RunFolder.open(run).reader() as reader:
        steps, rates = reader.series("learning_rate")
    assert rates[steps == step + 3] == np.float32(0.02)
    assert (rates[steps > step + 3] == np.float32(0.125)).all()

    assert order(run, "stop").status == "done"
    answer = running.end()
    assert answer["code"] == 130
    assert answer["state"] == state(run).state == "stopped"
    assert checkpoints.load_latest(run).checkpoint.step == answer["step"]
    assert events(run) == [
        ("pause", {}),
        ("step", {"count": 3}),
        ("checkpoint", {}),
        ("set", {"name": "learning_rate", "value": 0.125}),
        ("resume", {}),
        ("stop", {}),
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("learning_rat", 0.1, ["learning_rat", "there are: ", "learning_rate"]),
        ("learning_rate", -1.0, ["learning_rate", "-1"]),
        ("learning_rate", "fast", ["learning_rate", "expected a number", "fast"]),
        ("learning_rate", float("nan"), ["learning_rate", "expected a number"]),
        ("learning_rate", True, ["learning_rate", "expected a number"]),
        ("momentum", 1.5, ["momentum", "1.5"]),
        ("l2", -0.5, ["l2", "at least 0"]),
        ("clip_norm", float("inf"), ["clip_norm", "expected a number"]),
        ("type", "adam", ["type", "cannot be edited"]),
    ],
)
def test_settings_that_are_refused(
    experiment: Callable[..., Experiment], tmp_path: Path, name: str, value: Any, words: list[str]
) -> None:
    replies = []

    def listener(progress: Any) -> None:
        if progress.step and not replies:
            number = send_command(tmp_path / "run", "set", name=name, value=value)
            replies.append(number)

    long = experiment("training.epochs=4", "data.limit=64")
    outcome = train_experiment(long, parent=tmp_path, listener=listener, stop_on_signal=False)
    command = wait_for_reply(outcome.path, replies[0], 1)
    assert command.status == "refused"
    for word in words:
        assert word in command.reply
    assert events(outcome.path) == []


def test_stop_while_paused(running: Any) -> None:
    order(running.run, "pause")
    assert order(running.run, "stop").status == "done"
    assert running.end()["state"] == "stopped"


def test_a_run_in_use_is_refused(
    running: Any, trainer_process: Callable[..., Any], experiment_file: Path
) -> None:
    with pytest.raises(RunError, match=f"in use by process {running.popen.pid} "):
        resume_run(running.run)
    second = trainer_process("resume").end()
    assert second["code"] == 2
    assert f"in use by process {running.popen.pid} " in second["stderr"]
    assert len(second["stderr"].splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_and_resume_to_the_same_bits(
    trainer_process: Callable[..., Any],
    experiment_file: Path,
    experiment: Callable[..., Experiment],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    words = ["training.epochs=1200", "training.checkpoint_seconds=1000"]
    process = trainer_process("train", experiment_file, *[w for word in words for w in ("--set", word)])
    process.wait_until(process.training, "training")
    process.wait_until(lambda: state(process.run).step > 0, "steps")
    process.popen.send_signal(number)
    answer = process.end()
    assert answer["code"] == 130, answer
    assert "ravine resume" in answer["stderr"]
    assert answer["state"] == "stopped"
    assert 0 < answer["step"] < 1200 * 22
    assert checkpoints.load_latest(process.run).checkpoint.step == answer["step"]
    resumed = resume_run(process.run)
    unbroken = train_experiment(experiment(*words), parent=tmp_path / "unbroken")
    assert resumed.sha256 == unbroken.sha256
    assert resumed.metrics == unbroken.metrics
    with RunFolder.open(process.run).reader() as broken, RunFolder.open(unbroken.path).reader() as whole:
        assert broken.tail(limit=10**6).values.tobytes() == whole.tail(limit=10**6).values.tobytes()


def test_a_signal_before_the_first_step_stops(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """It must not be forgotten between the start of the session and the start of the loop."""
    original = Trainer.fit_datasets

    def fit_datasets(self: Any, *arguments: Any, **settings: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "fit_datasets", fit_datasets)
        outcome = train_experiment(experiment(), parent=tmp_path)
    assert outcome.state == "stopped"
    assert outcome.step == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert resume_run(outcome.path).state == "finished"


def test_a_live_edit_survives_stop_and_resume(running: Any) -> None:
    assert order(running.run, "set", name="learning_rate", value=0.001).status == "done"
    assert order(running.run, "set", name="l2", value=0.5).status == "done"
    order(running.run, "stop")
    step = running.end()["step"]
    epochs = step // 22 + 2
    resume_run(running.run, overrides=[f"training.epochs={epochs}"])
    with RunFolder.open(running.run).reader() as reader:
        steps, rates = reader.series("learning_rate")
        assert steps[-1] == epochs * 22
        assert (rates[steps > step] == np.float32(0.001)).all()
    assert checkpoints.load_latest(running.run).checkpoint.state["regularization"]["l2"] == 0.5


def edited_and_killed(start: Callable[..., Any], file: Path, run: Path) -> int:
    """A run with one edit of the learning rate, killed before the next checkpoint; returns its step."""
    process = start("train", file, *LONG)
    process.wait_until(process.training, "training")
    order(run, "checkpoint")
    order(run, "pause")
    order(run, "step", count=7)
    edit = order(run, "set", name="learning_rate", value=0.003)
    order(run, "step", count=5)
    process.wait_until(lambda: state(run).step >= edit.taken_step + 5, "steps after the edit")
    process.popen.kill()
    process.popen.communicate()
    return int(edit.taken_step)


def test_an_edit_lost_by_a_kill_is_made_again(
    trainer_process: Callable[..., Any], experiment_file: Path, tmp_path: Path
) -> None:
    """Edited after the last checkpoint, then killed: the resumed run makes the edit after the same step."""
    run = tmp_path / "runs" / "run"
    step = edited_and_killed(trainer_process, experiment_file, run)
    with RunFolder.open(run).reader() as reader:
        before = reader.tail(limit=10**6)
    assert checkpoints.load_latest(run).checkpoint.step <= step
    epochs = step // 22 + 2
    resume_run(run, overrides=[f"training.epochs={epochs}"])
    with RunFolder.open(run).reader() as reader:
        after = reader.tail(limit=10**6)
        rates = after.values[:, reader.columns.index("learning_rate")]
        edits = [event for event in reader.events() if event.kind == "set"]
    assert [edit.step for edit in edits] == [step]
    assert (rates[after.steps > step] == np.float32(0.003)).all()
    assert (rates[after.steps <= step] == np.float32(0.02)).all()
    # The very steps that the killed process had recorded, edit and all.
    assert after.values[: len(before.steps)].tobytes() == before.values.tobytes()


def test_an_override_replaces_the_edits(
    trainer_process: Callable[..., Any], experiment_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "run"
    step = edited_and_killed(trainer_process, experiment_file, run)
    resumed = checkpoints.load_latest(run).checkpoint.step
    epochs = step // 22 + 2
    resume_run(run, overrides=[f"training.epochs={epochs}", "optimizer.learning_rate=0.0625"])
    with RunFolder.open(run).reader() as reader:
        steps, rates = reader.series("learning_rate")
    assert (rates[steps > resumed] == np.float32(0.0625)).all()


def test_an_override_survives_a_kill_before_the_next_checkpoint(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path)

    class Killed(BaseException):
        pass

    def listener(progress: Any) -> None:
        raise Killed

    with pytest.raises(Killed):
        resume_run(
            outcome.path, overrides=["training.epochs=3", "optimizer.learning_rate=0.25"], listener=listener
        )
    resume_run(outcome.path)
    with RunFolder.open(outcome.path).reader() as reader:
        steps, rates = reader.series("learning_rate")
    assert steps[-1] == 66
    assert (rates[steps > 22] == np.float32(0.25)).all()


@pytest.mark.parametrize(
    "override",
    [
        "training.batch_size=16", "seed=4", "training.shuffle=false", "training.drop_last=true",
        "data.limit=9", "model.layers.0.units=3", "optimizer.type=adam", "compute.dtype=float64", "loss='x'",
    ],
)  # fmt: skip
def test_what_makes_another_run_cannot_change(
    experiment: Callable[..., Experiment], tmp_path: Path, override: str
) -> None:
    def listener(progress: Any) -> None:
        if progress.state == "training":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)
        patch.setattr("ravine.training.progress.REPORT_SECONDS", 0.0)
        outcome = train_experiment(experiment(), parent=tmp_path, listener=listener)
    assert outcome.step == 1
    key = override.partition("=")[0]
    with pytest.raises(InputError, match=f"{key}: cannot change in the middle of a run"):
        resume_run(outcome.path, overrides=[override])
    assert resume_run(outcome.path).state == "finished"


def test_a_batch_size_changed_in_the_file_is_found(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listener(progress: Any) -> None:
        if progress.state == "training" and progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)
    monkeypatch.setattr("ravine.training.progress.REPORT_SECONDS", 0.0)
    outcome = train_experiment(experiment(), parent=tmp_path, listener=listener)
    assert outcome.step == 2
    file = outcome.path / "experiment.toml"
    written = file.read_text()
    file.write_text(written.replace("batch_size = 32", "batch_size = 16"))
    with pytest.raises(InputError, match=r"training.batch_size: is 16, but epoch 1 began with 32"):
        resume_run(outcome.path)
    file.write_text(written)
    monkeypatch.undo()
    assert resume_run(outcome.path).state == "finished"


def test_changed_data_is_refused(
    experiment: Callable[..., Experiment], tmp_path: Path, write_data: Callable[..., None]
) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path)
    write_data(tmp_path / "data.npz", seed=6)
    with pytest.raises(InputError, match="data: the data is not what the run was trained on"):
        resume_run(outcome.path, overrides=["training.epochs=2"])
    write_data(tmp_path / "data.npz")
    assert resume_run(outcome.path, overrides=["training.epochs=2"]).step == 44
