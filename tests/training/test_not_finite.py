"""NaN and Inf: named by layer and step, recorded as the reason, never in a checkpoint, and survivable."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Callback, NotFiniteError, Sequential, Trainer
from ravine.experiment import Experiment
from ravine.layers import Dense
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.session import resume_run, train_experiment


def assert_checkpoints_finite(run: Path) -> None:
    files = list((run / "checkpoints").glob("*.safetensors"))
    assert files
    for file in files:
        for name, tensor in checkpoints.load(file).tensors.items():
            assert np.isfinite(tensor).all(), (file, name)


@pytest.mark.parametrize("rule", ["gradient_descent", "momentum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_far_too_large_rate(
    experiment: Callable[..., Experiment], tmp_path: Path, rule: str, dtype: str
) -> None:
    chosen = experiment(
        f'optimizer={{ type = "{rule}", learning_rate = 1e300 }}' if dtype == "float64" else
        f'optimizer={{ type = "{rule}", learning_rate = 1e30 }}',
        "regularization.clip_norm=0", f"compute.dtype={dtype}",
    )  # fmt: skip
    with pytest.raises(NotFiniteError) as raised:
        train_experiment(chosen, parent=tmp_path)
    error = raised.value
    run = tmp_path / "run"
    assert error.layer in ("dense_1", "dense_2")
    found = re.search(r"became NaN or Inf at step (\d+)", str(error))
    assert found, error
    with RunFolder.open(run).reader() as reader:
        state = reader.state()
        assert state.state == "crashed"
        assert f"layer '{error.layer}'" in state.reason
        assert found.group() in state.reason
        recorded = reader.tail()
        # All steps before it are on record, and nothing of it.
        assert recorded.steps.tolist() == list(range(1, int(found[1])))
    assert_checkpoints_finite(run)
    assert checkpoints.load_latest(run).checkpoint.step < int(found[1])

    resumed = resume_run(run, overrides=["optimizer.learning_rate=0.01"])
    assert resumed.state == "finished"
    assert resumed.step == 6 * 22
    with RunFolder.open(run).reader() as reader:
        assert reader.state().state == "finished"
        assert reader.state().reason == ""
        assert np.isfinite(reader.tail(limit=10**6).values).all()
    assert_checkpoints_finite(run)


def test_a_rate_of_ten_to_the_eighth(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """Such a rate kills rectified units for good, or overflows; if it does, layer and step are named."""
    chosen = experiment(
        "optimizer.learning_rate=1e8", "regularization.clip_norm=0", 'model.layers.0.activation="identity"'
    )
    with pytest.raises(NotFiniteError, match=r"layer '\w+'.* at step \d+"):
        train_experiment(chosen, parent=tmp_path)
    assert_checkpoints_finite(tmp_path / "run")
    outcome = resume_run(tmp_path / "run", overrides=["optimizer.learning_rate=0.01"])
    assert outcome.metrics["test"]["accuracy"] > 0.8


class Poison(Callback):
    """Writes one value into a parameter after a step."""

    def __init__(self, step: int, name: str, value: float) -> None:
        self.step, self.name, self.value = step, name, value

    def on_start(self, trainer: Trainer) -> None:
        trainer.limit_steps = 1

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        if trainer.position.step == self.step:
            trainer.network.parameters[self.name].flat[0] = self.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layer", ["first", "second", "third"])
def test_a_weight_that_is_not_finite(layer: str, value: float) -> None:
    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(64, 4)), random.integers(0, 3, 64)
    model = Sequential(
        Dense(5, activation="tanh", name="first"), Dense(5, name="second"), Dense(3, name="third")
    )
    trainer = Trainer(
        model,
        loss="softmax_cross_entropy",
        optimizer="adam",
        batch_size=8,
        callbacks=[Poison(5, f"{layer}.weight", value)],
    )
    # tanh(inf) is finite with gradient 0: only the weight itself tells.
    with pytest.raises(NotFiniteError, match="at step 6;") as raised:
        trainer.fit(inputs, targets)
    assert raised.value.layer == layer
    assert trainer.position.step == 5
    assert not trainer.stopping


def test_a_poisoned_run_keeps_its_last_good_checkpoint(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN arrives in a weight between two epochs, before the checkpoint: it is refused, by name."""
    from ravine.training.recorder import Recorder

    original = Recorder.on_epoch_end

    def on_epoch_end(self: Any, trainer: Any) -> None:
        if trainer.position.epoch == 3:
            trainer.network.parameters["dense_1.weight"][1, 2] = np.nan
        original(self, trainer)

    monkeypatch.setattr(Recorder, "on_epoch_end", on_epoch_end)
    with pytest.raises(checkpoints.CheckpointError, match=r"tensor 'dense_1.weight' is not finite"):
        train_experiment(experiment(), parent=tmp_path)
    assert_checkpoints_finite(tmp_path / "run")
    monkeypatch.undo()
    unbroken = train_experiment(experiment(), parent=tmp_path / "unbroken")
    assert resume_run(tmp_path / "run").sha256 == unbroken.sha256
