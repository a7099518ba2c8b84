"""N ranks compute what one does: the same weights and losses, whatever is trained and however it is fed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ravine import train_experiment
from ravine.experiment import Experiment, load_experiment, to_toml
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints

OnRanks = Callable[..., list[Any]]

HEAD = """
name = "run"
seed = 11

[training]
epochs = 10
batch_size = 10
checkpoint_seconds = 0

[compute]
dtype = "float64"
threads = 1

[optimizer]
type = "momentum"
learning_rate = 0.05
"""
# 96 training samples: ten batches an epoch, the last of 6.
PICTURES = """
[data]
source = "npz"
file = "pictures.npz"
preprocessing = "standardize"

[data.split]
validation_fraction = 0.2

[[data.augmentation]]
type = "random_crop"
size = 10
padding = 1

[[data.augmentation]]
type = "rotation"

[[data.augmentation]]
type = "horizontal_flip"

[[data.augmentation]]
type = "mixup"
alpha = 0.4

[model]
layers = [
  { type = "convolution", units = 4, kernel = 3, use_bias = false },
  "batch_normalization",
  "relu",
  "max_pooling",
  "flatten",
  { type = "dropout", rate = 0.3 },
  { type = "dense", units = 16, activation = "tanh" },
  { type = "dropout", rate = 0.2 },
  { type = "dense", units = 4 },
]

[parallel]
normalization = "synchronized"
"""
TABLE = """
[data]
source = "npz"
file = "table.npz"

[data.split]
validation_fraction = 0.2

[model]
layers = [
  { type = "dense", units = 12, activation = "tanh" },
  { type = "dropout", rate = 0.2 },
  { type = "dense", units = 4 },
]
"""
VALUES = """
loss = "squared_error"
""" + TABLE.replace("table.npz", "values.npz").replace("units = 4", "units = 2")


class Trained(NamedTuple):
    """What a training left: tensors of the last checkpoint, recorded losses, and metrics of evaluations."""

    tensors: dict[str, np.ndarray]
    losses: np.ndarray
    metrics: np.ndarray


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of all experiments."""
    folder = tmp_path_factory.mktemp("parity")
    random = np.random.default_rng(5)
    labels = random.integers(0, 4, 120)
    inputs = random.normal(0, 1, (4, 9))[labels] + random.normal(0, 1, (120, 9))
    np.savez(folder / "table.npz", inputs=inputs, targets=labels, weights=random.uniform(0.2, 2, 120))
    values = np.sin(inputs @ random.normal(0, 0.3, (9, 2)))
    np.savez(folder / "values.npz", inputs=inputs, targets=values)
    images = random.integers(0, 200, (120, 12, 12, 1)) + 15 * labels[:, None, None, None]
    np.savez(folder / "pictures.npz", inputs=images.astype(np.uint8), targets=labels)
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "labels.npy", labels)
    return folder


@pytest.fixture(scope="module")
def trained(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, on_ranks: OnRanks
) -> Callable[[int, Experiment], Trained]:
    """Trains on so many ranks."""

    def train(ranks: int, experiment: Experiment) -> Trained:
        parent = tmp_path_factory.mktemp("runs")
        outcomes = on_ranks(ranks, lambda world: train_experiment(experiment, parent=parent, world=world))
        assert len({outcome.sha256 for outcome in outcomes}) == 1  # all ranks have the same weights
        assert all(outcome.metrics == outcomes[0].metrics for outcome in outcomes)
        return found(outcomes[0].path)

    return train


def found(path: Path) -> Trained:
    with RunFolder.open(path).reader() as reader:
        losses = reader.series("loss")[1]
        evaluations = reader.evaluations()
    metrics = [value for one in evaluations for _, value in sorted(one.metrics.items())]
    tensors = checkpoints.load_latest(path).checkpoint.tensors
    return Trained(tensors, losses, np.array(metrics))


def experiment_of(folder: Path, text: str, *overrides: str) -> Experiment:
    path = folder / "experiment.toml"
    # A text may begin with keys of the top level.
    top, _, sections = text.partition("[data]")
    path.write_text(HEAD.replace("seed = 11", f"seed = 11\n{top}", 1) + "[data]" + sections)
    return load_experiment(path, overrides)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference of two arrays, relative to the largest value."""
    scale = float(np.abs(first).max(initial=0))
    return float(np.abs(first - second).max(initial=0)) / (scale or 1.0)


def assert_close(one: Trained, many: Trained, tolerance: float) -> None:
    assert one.tensors.keys() == many.tensors.keys()
    for name, values in one.tensors.items():
        assert difference(values, many.tensors[name]) <= tolerance, name
    assert len(one.losses) == len(many.losses) > 0
    # Recorded values are float32: two of them may be neighbours.
    assert difference(one.losses, many.losses) <= max(tolerance, 1.2e-7)
    assert difference(one.metrics, many.metrics) <= tolerance


CELLS = {
    "pictures": (PICTURES, []),
    "pictures, adam": (
        PICTURES,
        ["optimizer={type='adam', learning_rate=0.01}", "regularization.clip_norm=1"],
    ),
    "micro batches": (TABLE, ["training.micro_batch=2"]),
    "an uneven last batch of two": (TABLE, ["training.batch_size=47", "training.epochs=20"]),
    "all samples at once": (TABLE, ["training.batch_size='all'", "training.epochs=30"]),
    "weights of samples": (TABLE, ["data.weights='weights'"]),
    "balanced classes": (TABLE, ["loss={type='softmax_cross_entropy', class_weights='balanced'}"]),
    "balanced sampler": (TABLE, ["data.sampler.type='balanced'"]),
    "mixed sampler": (TABLE, ["data.sampler.type='mixed'"]),
    "hard sampler": (TABLE, ["data.sampler.type='hard'"]),
    "in order": (TABLE, ["training.shuffle=false", "training.drop_last=true"]),
    "averaged weights": (TABLE, ["training.average_weights=0.9", "training.patience=3"]),
    "a plateau": (TABLE, ["schedules.learning_rate={type='on_plateau', patience=0, threshold=0.2}"]),
    "a bold driver": (TABLE, ["schedules.learning_rate='bold_driver'"]),
    "values": (VALUES, ["data.target_preprocessing='standardize'", "regularization.l2=0.01"]),
    "calibrated": (TABLE, ["model.calibrate=true"]),
    "a memory map": (
        TABLE,
        ["data.source='npy'", "data.file=''", "data.inputs='inputs.npy'", "data.targets='labels.npy'"],
    ),
    "nesterov": (TABLE, ["optimizer={type='nesterov', learning_rate=0.05}", "regularization.max_norm=2"]),
}


@pytest.mark.parametrize("cell", CELLS)
def test_ranks_agree_with_one(cell: str, folder: Path, trained: Callable[..., Trained]) -> None:
    text, overrides = CELLS[cell]
    experiment = experiment_of(folder, text, *overrides)
    one = trained(1, experiment)
    for ranks in (2, 3, 4):
        assert_close(one, trained(ranks, experiment), 1e-12)


def test_over_mpi(folder: Path, tmp_path: Path, mpirun: Any) -> None:
    """Dropout, augmentation and synchronized normalization, 100 steps on 1 to 4 ranks that are processes."""
    texts = {
        "float64": ((1, 2, 3, 4), []),
        "float32": ((1, 4), ["compute.dtype=float32"]),
        "deterministic": ((1, 3), ["compute.dtype=float32", "parallel.deterministic=true"]),
    }
    cells = []
    for name, (counts, overrides) in texts.items():
        file = tmp_path / f"{name}.toml"
        file.write_text(to_toml(experiment_of(folder, PICTURES, *overrides)))
        cells += [f"{count}:{file}" for count in counts]
    done = mpirun(4, Path(__file__).parents[1] / "cells.py", tmp_path, *cells, timeout=240)
    assert done.code == 0, done
    left = {path.name: found(path) for path in tmp_path.iterdir() if path.is_dir()}
    assert len(left) == len(cells)
    assert len(left["float64-1"].losses) == 100
    for count in (2, 3, 4):
        assert_close(left["float64-1"], left[f"float64-{count}"], 1e-12)
    for other in ("float32-4", "deterministic-1"):
        assert difference(left["float32-1"].losses, left[other].losses) <= 1e-5
    assert_same_bits(left["deterministic-1"], left["deterministic-3"])


def assert_same_bits(one: Trained, other: Trained) -> None:
    assert one.tensors.keys() == other.tensors.keys()
    assert all(values.tobytes() == other.tensors[name].tobytes() for name, values in one.tensors.items())
    assert one.losses.tobytes() == other.losses.tobytes()
    assert one.metrics.tobytes() == other.metrics.tobytes()


@pytest.mark.parametrize(
    "cell", ["pictures", "weights of samples", "averaged weights", "hard sampler", "values"]
)
def test_deterministic(cell: str, folder: Path, trained: Callable[..., Trained]) -> None:
    text, overrides = CELLS[cell]
    experiment = experiment_of(
        folder, text, *overrides, "compute.dtype=float32", "parallel.deterministic=true",
        "parallel.deterministic_parts=8",
    )  # fmt: skip
    one = trained(1, experiment)
    for ranks in (2, 3, 4):
        assert_same_bits(one, trained(ranks, experiment))
