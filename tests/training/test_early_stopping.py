"""Early stopping: when it ends, whose weights come back, and that a broken run comes to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, Trainer, layers
from ravine.cli import main
from ravine.errors import CheckpointError, InputError
from ravine.experiment import Experiment, load_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.early_stopping import PREFIX, EarlyStopping
from ravine.training.loaded import load_run
from ravine.training.preparation import load_parts
from ravine.training.session import resume_run, train_experiment
from ravine.training.trainer import Callback

# The loss on validation samples falls, then rises: a large learning rate, no regularization.
OVERFITTING = [
    "training.epochs=40", "training.patience=3", "optimizer.learning_rate=0.01", "regularization.l2=0.0",
    "model.layers.1.rate=0.0", "model.layers.0.units=128",
]  # fmt: skip


class Kept(Callback):
    """The weights after each evaluation."""

    def __init__(self) -> None:
        self.weights: list[np.ndarray[Any, Any]] = []

    def on_evaluation(self, trainer: Trainer, record: Any) -> None:
        if record.split == "validation":
            self.weights.append(trainer.network.flat_parameters.copy())


class StopAfter(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.position.epoch == self.epoch:
            trainer.stop()


def noise(samples: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Inputs with labels that they do not tell: what is learned is wrong for other samples."""
    random = np.random.default_rng(seed)
    return random.normal(size=(samples, 6)), random.integers(0, 3, samples)


def trainer(callbacks: list[Callback]) -> Trainer:
    model = Sequential(layers.Dense(64, activation="tanh"), layers.Dense(3))
    return Trainer(model, loss="softmax_cross_entropy", optimizer="adam", batch_size=10, callbacks=callbacks)


def expected_end(losses: list[float], patience: int, minimum_change: float) -> int:
    """Evaluations until the patience is at its end; all of them if that never comes."""
    reference, waited = losses[0], 0
    for count, loss in enumerate(losses[1:], 2):
        if reference - loss > minimum_change:
            reference, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            return count
    return len(losses)


@pytest.mark.parametrize("minimum_change", [0.0, 0.01])
@pytest.mark.parametrize("patience", [1, 4])
def test_end_and_weights(patience: int, minimum_change: float) -> None:
    free, kept = Kept(), Kept()
    losses = trainer([free]).fit(*noise(60, 1), epochs=30, validation=noise(50, 2)).metric("loss")
    end = expected_end(losses, patience, minimum_change)
    stopped = trainer([kept])
    history = stopped.fit(
        *noise(60, 1), epochs=30, validation=noise(50, 2), patience=patience, minimum_change=minimum_change
    )
    assert history.metric("loss") == losses[:end]
    assert end < 30
    best = int(np.argmin(losses[:end]))
    assert best < end - 1 or minimum_change, "the last weights are the best: nothing is told apart"
    assert stopped.network.flat_parameters.tobytes() == free.weights[best].tobytes()
    assert stopped.evaluate(*noise(50, 2))["loss"] == losses[best]


def test_the_best_weights_come_back_after_the_last_epoch_too() -> None:
    kept = Kept()
    whole = trainer([kept])
    losses = whole.fit(*noise(60, 1), epochs=12, validation=noise(50, 2), patience=100).metric("loss")
    assert len(losses) == 12
    assert np.argmin(losses) < 11
    assert whole.network.flat_parameters.tobytes() == kept.weights[int(np.argmin(losses))].tobytes()


def test_averages_of_layers_come_back_with_the_weights() -> None:
    class Averages(Kept):
        def on_evaluation(self, trainer: Trainer, record: Any) -> None:
            if record.split == "validation":
                self.weights.append(np.concatenate([v.ravel() for v in trainer.network.state.values()]))

    kept = Averages()
    model = Sequential(layers.Dense(64, activation="tanh"), layers.BatchNormalization(), layers.Dense(3))
    whole = Trainer(model, loss="softmax_cross_entropy", optimizer="adam", batch_size=10, callbacks=[kept])
    losses = whole.fit(*noise(60, 1), epochs=15, validation=noise(50, 2), patience=3).metric("loss")
    found = np.concatenate([values.ravel() for values in whole.network.state.values()])
    best = int(np.argmin(losses))
    assert best < len(losses) - 1
    assert found.tobytes() == kept.weights[best].tobytes() != kept.weights[-1].tobytes()


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"patience": -1}, "patience"), ({"patience": 2, "minimum_change": -0.1}, "minimum_change"),
     ({"patience": 2.5}, "patience"), ({"patience": 2, "minimum_change": float("nan")}, "minimum_change")],
)  # fmt: skip
def test_bad_settings(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        trainer([]).fit(*noise(60, 1), epochs=2, validation=noise(50, 2), **settings)
    assert caught.value.key == key


def test_no_validation_samples(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation") as caught:
        trainer([]).fit(*noise(60, 1), epochs=2, patience=2)
    assert caught.value.key == "patience"
    with pytest.raises(InputError, match="validation") as caught:
        train_experiment(
            experiment("training.patience=2", "data.split.validation_fraction=0.0"), parent=tmp_path
        )
    assert caught.value.key == "training.patience"
    assert not list(tmp_path.glob("run*"))


def events(run: Path) -> list[tuple[int, str, Any]]:
    with RunFolder.open(run).reader() as reader:
        return [(event.step, event.kind, event.payload) for event in reader.events()]


def test_a_run(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    plan = experiment(*OVERFITTING)
    outcome = train_experiment(plan, parent=tmp_path)
    with RunFolder.open(outcome.path).reader() as reader:
        found = [e for e in reader.evaluations() if e.split == "validation"]
    losses = [evaluation.metrics["loss"] for evaluation in found]
    best = found[int(np.argmin(losses))]
    assert len(losses) == expected_end(losses, 3, 0.0) == outcome.epochs < 40
    assert (outcome.state, outcome.best_step) == ("finished", best.step)
    assert outcome.metrics["validation"] == best.metrics
    assert events(outcome.path) == [
        (outcome.step, "early_stopping",
         {"best_step": best.step, "best_epoch": best.epoch, "metrics": best.metrics, "patience_ended": True})
    ]  # fmt: skip
    # The last checkpoint holds the best weights, and what is said of the test is true of them.
    last, parts = load_run(outcome.path, "latest"), load_parts(plan)
    assert parts.test is not None
    assert last.step == outcome.step > best.step
    assert last.evaluate_prepared(parts.test) == outcome.metrics["test"]
    assert last.evaluate_prepared(parts.validation) == best.metrics
    weights = load_run(outcome.path, "best").network.flat_parameters
    assert last.network.flat_parameters.tobytes() == weights.tobytes()
    assert checkpoints.digest(dict(last.network.parameters)) == outcome.sha256
    # Finished is finished.
    again = resume_run(outcome.path)
    assert (again.sha256, again.best_step, again.step) == (outcome.sha256, outcome.best_step, outcome.step)
    assert again.metrics["validation"] == best.metrics
    assert len(events(outcome.path)) == 1


def test_what_the_command_line_says(
    experiment_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for setting in OVERFITTING for word in ("--set", setting)]
    assert main(["train", str(experiment_file), "--runs", str(tmp_path / "runs"), "--quiet", *words]) == 0
    assert "of the lowest validation loss" in capsys.readouterr().out


def assert_same_run(found: Path, expected: Path) -> None:
    one, other = (checkpoints.load_latest(path).checkpoint for path in (found, expected))
    assert checkpoints.digest(one.tensors) == checkpoints.digest(other.tensors)
    assert one.metrics == other.metrics
    assert one.state["early_stopping"] == other.state["early_stopping"]
    assert one.state["position"]["step"] == other.state["position"]["step"]


@pytest.mark.parametrize("epoch", [1, 5, 8])
def test_stop_and_resume(epoch: int, experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    whole = train_experiment(experiment(*OVERFITTING), parent=tmp_path, folder=tmp_path / "whole")
    assert whole.epochs > 8
    broken = train_experiment(
        experiment(*OVERFITTING), parent=tmp_path, folder=tmp_path / "broken", callbacks=[StopAfter(epoch)]
    )
    assert (broken.state, broken.best_step) == ("stopped", None)
    resumed = resume_run(broken.path)
    assert (resumed.sha256, resumed.best_step) == (whole.sha256, whole.best_step)
    assert resumed.metrics == whole.metrics
    assert events(resumed.path) == events(whole.path)
    assert_same_run(resumed.path, whole.path)


@pytest.mark.parametrize("patience", [8, 0])
def test_going_on_after_the_end(patience: int, experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """More patience, or none at all, goes on from the last weights, as if it had been so from the start."""
    changed = [*OVERFITTING, f"training.patience={patience}", "training.epochs=20"]
    whole = train_experiment(experiment(*changed), parent=tmp_path, folder=tmp_path / "whole")
    stopped = train_experiment(experiment(*OVERFITTING), parent=tmp_path, folder=tmp_path / "stopped")
    assert stopped.step < whole.step
    longer = resume_run(stopped.path, overrides=[f"training.patience={patience}", "training.epochs=20"])
    assert (longer.sha256, longer.step, longer.best_step) == (whole.sha256, whole.step, whole.best_step)
    assert longer.metrics == whole.metrics


def test_kills_leave_the_same_bits(trainer_process: Callable[..., Any], experiment_file: Path) -> None:
    settings = [*OVERFITTING, "training.epochs=400", "training.patience=60", "model.layers.0.units=256"]
    words = [word for setting in settings for word in ("--set", setting)]
    whole = trainer_process("train", experiment_file, *words, name="whole")
    answer = whole.end()
    assert answer["code"] == 0, answer["stderr"]
    assert answer["best_step"] < answer["step"] < 400 * 22
    process = trainer_process("train", experiment_file, *words, name="broken")
    for _ in range(4):
        process.wait_until(process.training, "training")
        await_evaluation(process)
        assert process.popen.poll() is None, "the run ended before it was killed"
        process.popen.kill()
        process.popen.communicate()
        process = trainer_process("resume", name="broken")
    again = process.end()
    assert again["code"] == 0, again["stderr"]
    for name in ("sha256", "best_step", "step", "metrics"):
        assert again[name] == answer[name], name
    assert_same_run(process.run, whole.run)


def await_evaluation(process: Any) -> None:
    """Returns when there is another evaluation."""

    def evaluations() -> int:
        with RunFolder.open(process.run).reader() as reader:
            return len(list(reader.evaluations()))

    before = evaluations()
    process.wait_until(lambda: evaluations() > before, "another evaluation")


@pytest.mark.parametrize(
    "change",
    [
        lambda state, tensors: state.clear(),
        lambda state, tensors: state.update(waited=-1),
        lambda state, tensors: state.update(metrics={"accuracy": 1.0}),
        lambda state, tensors: state.update(reference="low"),
        lambda state, tensors: tensors.popitem(),
        lambda state, tensors: tensors.update({f"{PREFIX}dense_1.weight": np.zeros(3, np.float32)}),
    ],
)
def test_a_state_that_cannot_be(change: Callable[[Any, Any], object]) -> None:
    network = Sequential(layers.Dense(2)).network([3], loss="squared_error")
    stopping = EarlyStopping(2)
    stopping.observe(network, {"loss": 1.0}, 5, 1)
    state, tensors = stopping.state(), stopping.tensors()
    EarlyStopping(2).restore(state, tensors, network)
    change(state, tensors)
    with pytest.raises(CheckpointError):
        EarlyStopping(2).restore(state, tensors, network)


def test_the_file_keeps_the_settings(experiment_file: Path) -> None:
    assert load_experiment(experiment_file).training.patience == 0
    with pytest.raises(InputError, match="patience"):
        load_experiment(experiment_file, ["training.patience=-1"])
