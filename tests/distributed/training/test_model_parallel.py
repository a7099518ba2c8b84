"""Ranks that share the layers of a network: runs that agree with one rank's, and checkpoints for any grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import resume_run, train_experiment
from ravine.errors import InputError
from ravine.experiment import Experiment, load_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints

OnRanks = Callable[..., list[Any]]

TEXT = """
name = "shared"
seed = 5

[data]
source = "npz"
file = "FILE"
preprocessing = "standardize"

[data.split]
validation_fraction = 0.2

[model]
layers = [
FIRST  "batch_normalization",
  "flatten",
  { type = "dense", units = 17, activation = "tanh" },
  { type = "dropout", rate = 0.3 },
  { type = "dense", units = 4 },
]

[optimizer]
type = "adam"
learning_rate = 0.01

[regularization]
clip_norm = 1.0
l2 = 1e-3

[training]
epochs = 8
batch_size = 12
patience = 6
average_weights = 0.9
checkpoint_seconds = 0

[compute]
dtype = "float64"
threads = 1

[parallel]
split = SPLIT
normalization = "synchronized"
"""
COLUMNS = """
  { type = "columns", columns = [
    [{ type = "convolution", units = 4, kernel = 3, activation = "relu" }, "max_pooling"],
    [{ type = "convolution", units = 3, kernel = 3, activation = "relu" }, "max_pooling"],
  ] },
"""
PLAIN = """
  { type = "convolution", units = 7, kernel = 3, activation = "relu" }, "max_pooling",
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    random = np.random.default_rng(2)
    labels = random.integers(0, 4, 100)
    images = random.integers(0, 150, (100, 8, 8, 2)) + 25 * labels[:, None, None, None]
    np.savez(folder / "pictures.npz", inputs=images.astype(np.uint8), targets=labels)
    text = TEXT.replace("FILE", str(folder / "pictures.npz"))
    shared = text.replace("FIRST", COLUMNS).replace("SPLIT", '["dense_1"]')
    plain = text.replace("FIRST", PLAIN).replace("SPLIT", '["convolution_1", "dense_1"]')
    (folder / "shared.toml").write_text(shared)
    (folder / "plain.toml").write_text(plain)
    return folder


def experiment_of(folder: Path, name: str, *overrides: str) -> Experiment:
    return load_experiment(folder / f"{name}.toml", list(overrides))


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    return checkpoints.load_latest(path).checkpoint.tensors


def losses_of(path: Path) -> np.ndarray:
    with RunFolder.open(path).reader() as reader:
        return np.array(reader.series("loss")[1])


def run(on_ranks: OnRanks, ranks: int, experiment: Experiment, parent: Path) -> Path:
    outcomes = on_ranks(ranks, lambda world: train_experiment(experiment, parent=parent, world=world))
    assert len({outcome.sha256 for outcome in outcomes}) == 1
    assert all(outcome.metrics == outcomes[0].metrics for outcome in outcomes)
    return Path(outcomes[0].path)


def assert_close(one: Path, other: Path) -> None:
    expected, found = tensors_of(one), tensors_of(other)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        assert values.shape == found[name].shape, name
        scale = max(1.0, float(np.abs(values).max(initial=0)))
        assert np.abs(values - found[name]).max(initial=0) <= 1e-12 * scale, name
    np.testing.assert_allclose(losses_of(other), losses_of(one), rtol=1.2e-7)


@pytest.mark.parametrize(
    ("name", "ranks", "model", "overrides"),
    [
        ("shared", 2, 2, []),
        ("plain", 2, 2, ["model.calibrate=true"]),
        ("plain", 3, 3, ["training.micro_batch=5", "parallel.normalization='rank'"]),
        ("shared", 4, 2, []),
        ("plain", 4, 2, ["optimizer={type='nesterov', learning_rate=0.02}", "regularization.max_norm=1.5"]),
    ],
)
def test_a_run_on_a_grid_is_that_of_one_rank(
    name: str,
    ranks: int,
    model: int,
    overrides: list[str],
    folder: Path,
    tmp_path: Path,
    on_ranks: OnRanks,
) -> None:
    experiment = experiment_of(folder, name, f"parallel.model={model}", *overrides)
    one = run(on_ranks, 1, experiment_of(folder, name, *overrides), tmp_path / "one")
    assert_close(one, run(on_ranks, ranks, experiment, tmp_path / "grid"))


@pytest.mark.parametrize("name", ["shared", "plain"])
def test_a_run_of_a_grid_is_resumed_on_another(
    name: str, folder: Path, tmp_path: Path, on_ranks: OnRanks
) -> None:
    whole = run(on_ranks, 1, experiment_of(folder, name), tmp_path / "whole")
    for ranks, model in ((1, 1), (2, 1), (2, 2), (4, 2)):
        experiment = experiment_of(folder, name, "parallel.model=2", "training.epochs=4")
        path = run(on_ranks, 4, experiment, tmp_path / f"{ranks}-{model}")
        before = tensors_of(path)
        overrides = ["training.epochs=8", f"parallel.model={model}"]
        outcomes = on_ranks(
            ranks,
            lambda world: resume_run(path, overrides=overrides, world=world),  # noqa: B023
        )
        assert len({outcome.sha256 for outcome in outcomes}) == 1
        assert {*before} == {*tensors_of(path)}
        assert_close(whole, path)


def test_what_cannot_be_shared_is_one_line(folder: Path, tmp_path: Path, on_ranks: OnRanks) -> None:
    cases = {
        "parallel.split=['dense_2']": "dense_2",
        "parallel.split=['nothing']": "nothing",
        "optimizer={type='muon'}": "whole matrices",
        "statistics.level='full'": "weights of whole layers",
    }
    for override, message in cases.items():
        experiment = experiment_of(
            folder, "plain", f"parallel.model={5 if 'dense_2' in override else 2}", override
        )
        size = experiment.parallel.model
        with pytest.raises(InputError, match=message):
            on_ranks(size, lambda world: train_experiment(experiment, parent=tmp_path, world=world))  # noqa: B023


def test_over_mpi(folder: Path, tmp_path: Path, on_ranks: OnRanks, mpirun: Any) -> None:
    """Processes that share a network, by the command line: two of them, and a grid of two by two."""
    one = run(on_ranks, 1, experiment_of(folder, "shared"), tmp_path / "one")
    for ranks in (2, 4):
        settings = [f"name='on-{ranks}'", "parallel.model=2"]
        words = [word for setting in settings for word in ("--set", setting)]
        done = mpirun(ranks, "-m", "ravine", "train", folder / "shared.toml", *words, "--quiet")
        assert done.code == 0, done
        assert_close(one, tmp_path / "runs" / f"on-{ranks}")


def test_the_example_of_two_columns(folder: Path, tmp_path: Path, on_ranks: OnRanks) -> None:
    """Each rank has a column and half of the units of the dense layers: about half of the weights."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", inputs=images, targets=np.arange(40) % 10)
    data = f"data={{source='npz', file='{tmp_path / 'images.npz'}', preprocessing='standardize'}}"
    settings = ["training.epochs=2", "training.batch_size=16", "compute={dtype='float64', threads=1}"]

    def train(ranks: int) -> Path:
        overrides = [data, *settings, f"parallel.model={ranks}"]
        return run(on_ranks, ranks, load_experiment("alexnet_columns", overrides), tmp_path / str(ranks))

    assert_close(train(1), train(2))
