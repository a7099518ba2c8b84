"""Moving averages belong to a run: checkpoints hold them, and resumed and loaded runs have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, load_run, resume_run, train_experiment
from ravine.errors import CheckpointError
from ravine.experiment import Experiment
from ravine.layers import BatchNormalization, Dense
from ravine.training import checkpoint as checkpoints
from ravine.training.snapshot import restore_network

LAYERS = """model.layers=[{type = "dense", units = 9}, {type = "batch_normalization"}, "relu",
    {type = "dense", units = 5}, {type = "batch_normalization", scale = false, name = "last"}]"""
NAMES = [f"{layer}.moving_{of}" for layer in ("batch_normalization_1", "last") for of in ("mean", "variance")]


def tensors_of(run: Path) -> dict[str, bytes]:
    checkpoint = checkpoints.load_latest(run).checkpoint
    return {name: values.tobytes() for name, values in checkpoint.tensors.items()}


def test_resume_and_load(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    whole = train_experiment(experiment(LAYERS, "training.epochs=4"), parent=tmp_path, stop_on_signal=False)
    part = train_experiment(experiment(LAYERS, "training.epochs=2"), parent=tmp_path, stop_on_signal=False)
    before = tensors_of(part.path)
    resumed = resume_run(part.path, overrides=["training.epochs=4"])
    expected = tensors_of(whole.path)
    assert set(NAMES) <= set(expected)
    assert tensors_of(part.path) == expected
    assert all(expected[name] != before[name] for name in NAMES)
    assert resumed.metrics == whole.metrics

    loaded = load_run(whole.path, "latest")
    assert {name: values.tobytes() for name, values in loaded.network.state.items()} == {
        name: expected[name] for name in NAMES
    }
    x = np.random.default_rng(1).normal(size=(7, 12))
    predicted = loaded.predict(x)
    for values in loaded.network.state.values():
        values[...] = 1.0
    assert not np.allclose(loaded.predict(x), predicted)


def test_a_checkpoint_without_averages_is_refused() -> None:
    network = Sequential(BatchNormalization()).network([3], loss="squared_error")
    parameters_only = checkpoints.Checkpoint(1, dict(network.parameters))
    with pytest.raises(CheckpointError, match=r"batch_normalization_1\.moving_mean"):
        restore_network(network, parameters_only, Path("step"))


@pytest.mark.parametrize("batch_size", [1, 50])
def test_a_batch_of_one_is_refused_before_the_first_step(
    experiment: Callable[..., Experiment], tmp_path: Path, batch_size: int
) -> None:
    """701 samples in batches of 50 leave a last one."""
    chosen = [LAYERS, f"training.batch_size={batch_size}", "training.epochs=1"]
    with pytest.raises(InputError, match="at least 2 samples") as caught:
        train_experiment(experiment(*chosen), parent=tmp_path, stop_on_signal=False)
    assert caught.value.layer == "batch_normalization_1"
    if batch_size > 1:
        chosen.append("training.drop_last=true")
        assert train_experiment(experiment(*chosen), parent=tmp_path, stop_on_signal=False).step == 14


def test_a_trainer_refuses_it_too() -> None:
    trainer = Trainer(
        Sequential(Dense(3), BatchNormalization()), optimizer="adam", loss="squared_error", batch_size=4
    )
    x: Any = np.zeros((9, 2))
    with pytest.raises(InputError, match="at least 2 samples"):
        trainer.fit(x, np.zeros((9, 3)), epochs=1)
    assert trainer.position.step == 0
