"""Trainings on augmented pictures: equal bits after a resume and for any threads; what evaluations see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Trainer, load_run, resume_run, train_experiment
from ravine.data import BatchSource, Sampler
from ravine.experiment import Experiment, load_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.callback import Callback
from ravine.training.preparation import load_parts

TEXT = """
name = "run"
seed = 11

[data]
source = "npz"
file = "pictures.npz"
test_file = "test.npz"
preprocessing = "standardize"

[[data.augmentation]]
type = "random_crop"
size = 10
padding = 1

[[data.augmentation]]
type = "horizontal_flip"

[[data.augmentation]]
type = "rotation"

[[data.augmentation]]
type = "pca_colour"

[[data.augmentation]]
type = "gaussian_noise"

[[data.augmentation]]
type = "mixup"
alpha = 0.4

[data.split]
validation_fraction = 0.2

[model]
layers = [
  { type = "convolution", units = 4, kernel = 3, activation = "relu" },
  "flatten",
  { type = "dense", units = 3 },
]

[optimizer]
type = "momentum"
learning_rate = 0.01

[training]
epochs = 3
batch_size = 16
checkpoint_seconds = 0

[compute]
threads = 1
"""
RANDOM = np.random.default_rng(0)
TEST = RANDOM.integers(0, 256, (20, 12, 12, 3), np.uint8)
TEST_LABELS = RANDOM.integers(0, 3, 20).astype(np.int32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (123, 12, 12, 3), np.uint8)
    np.savez(tmp_path / "pictures.npz", inputs=pictures, targets=random.integers(0, 3, 123))
    np.savez(tmp_path / "test.npz", inputs=TEST, targets=TEST_LABELS)
    (tmp_path / "experiment.toml").write_text(TEXT)
    return tmp_path / "experiment.toml"


class Stop(Callback):
    """Stops the training after some steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        if trainer.position.step >= self.step:
            trainer.stop()


def recorded(run: Path) -> tuple[Any, ...]:
    with RunFolder.open(run).reader() as reader:
        rows = reader.tail(limit=10**6)
        evaluations = [(e.step, e.split, e.metrics) for e in reader.evaluations()]
    last = checkpoints.load_latest(run).checkpoint
    return checkpoints.digest(last.tensors), rows.values.tobytes(), evaluations


def trained(experiment: Experiment, folder: Path, **more: Any) -> Path:
    return train_experiment(experiment, parent=folder, stop_on_signal=False, **more).path


def test_equal_bits_after_resumes_and_for_threads(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = load_experiment(file)
    whole = trained(experiment, tmp_path / "whole")
    for threads in (2, 4):
        other = trained(
            load_experiment(file, [f"compute.threads={threads}"]), tmp_path / f"threads_{threads}"
        )
        assert recorded(other) == recorded(whole)
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)  # a step a call
    run = trained(experiment, tmp_path / "broken", callbacks=[Stop(3)])
    for step in (7, 12, 18):  # 7 steps an epoch
        resume_run(run, callbacks=[Stop(step)], stop_on_signal=False)
    assert resume_run(run, stop_on_signal=False).state == "finished"
    assert recorded(run) == recorded(whole)
    # Another seed sees other pictures, and augmentation matters at all.
    assert recorded(trained(load_experiment(file, ["data.augmentation.4.deviation=11.0"]), tmp_path)) != (
        recorded(whole)
    )


def test_chunks_do_not_depend_on_how_they_are_cut(file: Path) -> None:
    train = load_parts(load_experiment(file)).train
    assert train.input_shape == (10, 10, 3)
    source = BatchSource(train, Sampler(3, len(train)), batch_size=16, maximum_batches=6)
    whole = source.chunk(1, 0, 6)
    assert whole.mixture is not None
    copies = [whole.inputs.copy(), whole.targets.copy(), *(array.copy() for array in whole.mixture)]
    for first, batches in ((0, 2), (2, 1), (3, 3)):
        chunk = source.chunk(1, first, batches)
        cut = whole.part(first, batches)
        rows = slice(16 * first, 16 * (first + batches))
        assert chunk.mixture is not None
        assert cut.mixture is not None
        for made in (chunk, cut) if first else (chunk,):  # the whole chunk's buffer is written anew
            assert len(made.inputs) == 16 * batches
        for found, expected in zip((chunk.inputs, chunk.targets, *chunk.mixture), copies, strict=True):
            assert found.tobytes() == expected[rows].tobytes()
    augmentation: Any = train.augmentation
    order = source.order(1)[:96]
    mixing = augmentation.mixing(order, 1, len(train))
    np.testing.assert_array_equal(copies[2], train.targets[mixing.partners])
    np.testing.assert_array_equal(copies[3], mixing.shares.astype(np.float32))


def test_pixels_of_other_pictures_have_the_moments_of_their_channel(file: Path) -> None:
    parts = load_parts(load_experiment(file))
    pixels = parts.train.inputs.reshape(-1, 3).astype(float)
    assert parts.transform.mean.shape == (10, 10, 3)
    np.testing.assert_allclose(parts.transform.mean, np.broadcast_to(pixels.mean(axis=0), (10, 10, 3)))
    np.testing.assert_allclose(parts.transform.deviation, np.broadcast_to(pixels.std(axis=0), (10, 10, 3)))
    same = load_parts(load_experiment(file, ["data.augmentation.0.size=0"]))
    np.testing.assert_allclose(same.transform.mean, same.train.inputs.mean(axis=0))


def test_evaluations_and_predictions_see_the_middle(file: Path, tmp_path: Path) -> None:
    run = trained(load_experiment(file), tmp_path / "runs")
    loaded = load_run(run)
    middle = (TEST[:, 1:11, 1:11] - loaded.transform.mean) / loaded.transform.deviation
    expected = loaded.network.predict(middle.astype(np.float32))
    np.testing.assert_allclose(loaded.predict(TEST), expected, rtol=1e-5, atol=1e-6)
    right = (expected.argmax(axis=1) == TEST_LABELS).mean()
    assert loaded.evaluate(TEST, TEST_LABELS)["accuracy"] == pytest.approx(right)
    parts = load_parts(load_experiment(file))
    assert parts.test is not None
    assert loaded.evaluate_prepared(parts.test)["accuracy"] == pytest.approx(right)
    # Pictures that have the network's size already.
    np.testing.assert_allclose(loaded.predict(TEST[:, 1:11, 1:11]), expected, rtol=1e-5, atol=1e-6)


def test_crops_are_averaged_at_the_test(file: Path, tmp_path: Path) -> None:
    experiment = load_experiment(file, ["data.crops.scales=[12, 15]"])
    run = trained(experiment, tmp_path / "runs")
    loaded = load_run(run, "last")
    parts = load_parts(experiment)
    assert parts.test is not None
    assert parts.test.crops is not None
    assert parts.validation is not None
    assert parts.validation.crops is None
    total = np.zeros((20, 3))
    for view in range(20):
        window = np.empty((20, 10, 10, 3))
        parts.test.crops.apply(view, TEST, np.arange(20), None, None, window)
        inputs = (window - loaded.transform.mean) / loaded.transform.deviation
        total += loaded.network.predict(inputs.astype(np.float32)) / 20
    np.testing.assert_allclose(loaded.predict(TEST), total, rtol=1e-5, atol=1e-6)
    found = loaded.evaluate_prepared(parts.test)
    assert found["accuracy"] == pytest.approx((total.argmax(axis=1) == TEST_LABELS).mean())
    assert found["loss"] == pytest.approx(-np.log(total[np.arange(20), TEST_LABELS]).mean(), rel=1e-5)
    assert loaded.evaluate(TEST, TEST_LABELS) == pytest.approx(found)
    with RunFolder.open(run).reader() as reader:
        of_test = [evaluation.metrics for evaluation in reader.evaluations() if evaluation.split == "test"]
    assert of_test[-1]["accuracy"] == pytest.approx(found["accuracy"])
