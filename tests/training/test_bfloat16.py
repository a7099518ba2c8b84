"""Whole trainings in bfloat16: as accurate as in float32, and resumed to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential, Trainer, _core
from ravine.data import load_digits
from ravine.experiment import Experiment
from ravine.layers import Convolution, Dense, Flatten, MaxPooling
from ravine.runs import RunFolder
from ravine.training.loaded import load_run
from ravine.training.session import resume_run, train_experiment

pytestmark = pytest.mark.skipif(
    not any(name == "bfloat16" and there for name, there, _ in _core.report()),
    reason="needs a processor with AVX512-BF16, and oneDNN",
)


def digits_accuracy(layers, shape, dtype: str, seed: int, **options) -> float:
    """On every fifth sample, after training on the others."""
    data = load_digits()
    inputs = data.inputs.astype(np.float32).reshape(-1, *shape) / 16
    test = np.arange(len(inputs)) % 5 == 0
    trainer = Trainer(
        Sequential(*layers), optimizer="adam", loss="softmax_cross_entropy", seed=seed, dtype=dtype, **options
    )
    trainer.fit(inputs[~test], data.targets[~test], epochs=12)
    return trainer.evaluate(inputs[test], data.targets[test])["accuracy"]


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_digits_are_learned_as_well_as_in_float32(kind: str) -> None:
    """The mean of three seeds lies within one percent: the spread of one dtype is about half of that."""
    if kind == "dense":
        layers, shape = [Dense(100, activation="relu"), Dense(10)], (64,)
    else:
        convolution = Convolution(16, kernel=3, padding="same", activation="relu")
        layers = [convolution, MaxPooling(), convolution, Flatten(), Dense(10)]
        shape = (8, 8, 1)
    reached = {
        dtype: np.mean([digits_accuracy(layers, shape, dtype, seed) for seed in range(3)])
        for dtype in ("bfloat16", "float32")
    }
    assert reached["float32"] > 0.95
    assert abs(reached["bfloat16"] - reached["float32"]) < 0.01


def test_a_run_is_resumed_to_the_same_bits(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """Its checkpoints are float32, and in float32 they go on otherwise."""
    whole = train_experiment(experiment("compute.dtype=bfloat16"), parent=tmp_path, stop_on_signal=False)
    part = train_experiment(
        experiment("compute.dtype=bfloat16", "training.epochs=3"), parent=tmp_path, stop_on_signal=False
    )
    resumed = resume_run(part.path, overrides=["training.epochs=6"], stop_on_signal=False)
    assert resumed.step == whole.step
    assert resumed.sha256 == whole.sha256
    float32 = train_experiment(experiment(), parent=tmp_path, stop_on_signal=False)
    assert float32.sha256 != whole.sha256


def test_a_loaded_run_gives_the_numbers_of_the_training(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    chosen = experiment("compute.dtype=bfloat16", "training.epochs=2")
    outcome = train_experiment(chosen, parent=tmp_path, stop_on_signal=False)
    loaded = load_run(outcome.path, "latest")
    assert (loaded.network.dtype, loaded.warning) == ("bfloat16", None)
    assert {values.dtype for values in loaded.network.parameters.values()} == {np.dtype(np.float32)}
    with np.load(tmp_path / "data.npz") as data:
        assert loaded.predict(data["inputs"]).dtype == np.float32
    with RunFolder.open(outcome.path).reader() as reader:
        recorded = [e.metrics for e in reader.evaluations() if e.split == "validation"][-1]
    from ravine.training.preparation import load_parts

    assert loaded.evaluate_prepared(load_parts(chosen).validation) == recorded
