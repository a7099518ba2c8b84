"""Going on from a checkpoint that is not the last: the same bits, and a record that is cut there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ravine.errors import CheckpointError
from ravine.experiment import Experiment
from ravine.runs import RunFolder, send_command
from ravine.training import checkpoint as checkpoints
from ravine.training.session import resume_run, train_experiment
from ravine.training.trainer import Callback, Trainer

OVERFITTING = [
    "training.epochs=40", "training.patience=3", "optimizer.learning_rate=0.01", "regularization.l2=0.0",
    "model.layers.1.rate=0.0", "model.layers.0.units=128", "training.keep_checkpoints=4",
]  # fmt: skip
BATCHES = 22


class EditAfter(Callback):
    """Changes the learning rate while the run goes on, as the app does."""

    def __init__(self, run: Path, step: int) -> None:
        self.run, self.step = run, step

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.position.step == self.step:
            send_command(self.run, "set", name="learning_rate", value=0.002)


def record(run: Path) -> dict[str, Any]:
    """What must not depend on how often a run went back."""
    with RunFolder.open(run).reader() as reader:
        rows = reader.tail(limit=10**6)
        return {
            "steps": rows.steps.tolist(),
            "values": rows.values.tobytes(),
            "evaluations": [(one.step, one.split, one.metrics) for one in reader.evaluations()],
            "events": [(one.step, one.kind, one.payload) for one in reader.events()],
            "best": checkpoints.digest(checkpoints.load(checkpoints.best_path(run)).tensors),
            "files": [(one.name, one.step, one.metrics) for one in checkpoints.saved_files(run)],
        }


@pytest.fixture
def trained(experiment: Callable[..., Experiment], tmp_path: Path) -> Path:
    """A run that early stopping has ended, well after its best."""
    outcome = train_experiment(experiment(*OVERFITTING), parent=tmp_path, folder=tmp_path / "run")
    assert outcome.best_step is not None
    assert outcome.best_step < outcome.step
    return outcome.path


@pytest.mark.parametrize("which", ["best", 0, 1, 2, 3, "last"])
def test_the_same_bits_from_every_checkpoint(trained: Path, which: int | str) -> None:
    before, files = record(trained), checkpoints.saved_files(trained)
    whole = checkpoints.load_latest(trained).checkpoint
    name = files[which].name if isinstance(which, int) else which
    resume_run(trained, checkpoint=name)
    again = checkpoints.load_latest(trained).checkpoint
    assert checkpoints.digest(again.tensors) == checkpoints.digest(whole.tensors)
    found = record(trained)
    for part, value in before.items():
        assert found[part] == value, part


def test_the_record_ends_at_the_checkpoint(trained: Path) -> None:
    chosen = checkpoints.saved_files(trained)[2]
    seen: list[tuple[int, list[str]]] = []

    class Look(Callback):
        def on_start(self, trainer: Trainer) -> None:
            with RunFolder.open(trained).reader() as reader:
                last = int(reader.tail(limit=10**6).steps[-1])
            seen.append((last, [one.name for one in checkpoints.saved_files(trained)]))

    resume_run(trained, checkpoint=f"step-{chosen.step}", callbacks=[Look()])
    assert seen[0][0] == chosen.step
    assert seen[0][1][0] == chosen.name
    log = RunFolder.open(trained).log_path.read_text()
    assert f"what came after step {chosen.step} is dropped" in log


def test_another_rate_from_an_earlier_step(
    experiment: Callable[..., Experiment], tmp_path: Path, trained: Path
) -> None:
    """As the run that went on with it from there: the later best is forgotten with its branch."""
    chosen = checkpoints.saved_files(trained)[3]
    epochs = chosen.step // BATCHES
    plan = experiment(*OVERFITTING, f"training.epochs={epochs}", "training.patience=0")
    short = train_experiment(plan, parent=tmp_path, folder=tmp_path / "short")
    words = ["optimizer.learning_rate=0.001", "training.epochs=12", "training.patience=0"]
    one = resume_run(short.path, overrides=words)
    other = resume_run(trained, checkpoint=chosen.name, overrides=words)
    assert other.sha256 == one.sha256
    assert record(trained)["values"] == record(short.path)["values"]


def test_live_edits_are_made_again_or_replaced(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    plan = experiment("training.epochs=6", "training.keep_checkpoints=9")
    run = tmp_path / "run"
    whole = train_experiment(plan, parent=tmp_path, folder=run, callbacks=[EditAfter(run, 3 * BATCHES)])
    with RunFolder.open(run).reader() as reader:
        edited = next(one.step for one in reader.events() if one.kind == "set")
        rates = reader.series("learning_rate")[1].tolist()
    assert rates[-1] == pytest.approx(0.002)
    again = resume_run(run, checkpoint=f"step-{2 * BATCHES}")
    assert again.sha256 == whole.sha256
    with RunFolder.open(run).reader() as reader:
        assert reader.series("learning_rate")[1].tolist() == rates
        assert [one.step for one in reader.events() if one.kind == "set"] == [edited]
    resume_run(run, checkpoint=f"step-{2 * BATCHES}", overrides=["optimizer.learning_rate=0.03"])
    with RunFolder.open(run).reader() as reader:
        assert reader.series("learning_rate")[1][2 * BATCHES :] == pytest.approx(0.03)


def test_what_is_not_there_is_said_and_nothing_is_lost(trained: Path) -> None:
    before = record(trained)
    names = [one.name for one in checkpoints.saved_files(trained)]
    for wrong in ("step-1", "lastt", "../run", ""):
        with pytest.raises(CheckpointError, match=f"no such checkpoint.*there are: last, {names[0]}"):
            resume_run(trained, checkpoint=wrong)
    damaged = checkpoints.saved_files(trained)[1].path
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated"):
        resume_run(trained, checkpoint=damaged.stem)
    assert damaged.stem not in [one.name for one in checkpoints.saved_files(trained)]
    assert record(trained)["values"] == before["values"]


def test_a_run_without_checkpoints_says_so(trained: Path) -> None:
    for one in checkpoints.saved_files(trained):
        one.path.unlink()
    with pytest.raises(CheckpointError, match="there are: none"):
        resume_run(trained, checkpoint="best")
