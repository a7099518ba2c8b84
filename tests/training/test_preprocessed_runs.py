"""Runs with components for inputs and scaled targets: recorded, resumed, evaluated and predicted with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import resume_run, train_experiment
from ravine.data import ArraySource, as_dataset
from ravine.errors import InputError
from ravine.experiment import parse_experiment
from ravine.runs import RunReader
from ravine.training import checkpoint as checkpoints
from ravine.training.loaded import load_run

metrics = pytest.importorskip("sklearn.metrics")
RANDOM = np.random.default_rng(4)
INPUTS = RANDOM.normal(size=(300, 6)) @ RANDOM.normal(size=(6, 6))
TARGETS = np.column_stack([INPUTS @ RANDOM.normal(size=6) * 1e4 + 2e5, np.abs(INPUTS[:, 0]) * 1e-2])


def experiment(folder: Path, **data: Any) -> Any:
    np.savez(folder / "points.npz", inputs=INPUTS, targets=TARGETS)
    split = {"validation_fraction": 0.2, "test_fraction": 0.2, "seed": 3}
    table = {
        "name": "run",
        "loss": "squared_error",
        "data": {"source": "npz", "file": "points.npz", "split": split, **data},
        "model": {
            "layers": [{"type": "dense", "units": 16, "activation": "tanh"}, {"type": "dense", "units": 2}]
        },
        "optimizer": {"type": "adam", "learning_rate": 0.02},
        "training": {"epochs": 20, "batch_size": 16, "checkpoint_seconds": 0.0},
    }
    return parse_experiment(table, folder)


def parts_of(folder: Path) -> tuple[Any, Any]:
    """Test inputs and targets as scikit-learn divides them."""
    from sklearn.model_selection import train_test_split

    _, inputs, _, targets = train_test_split(INPUTS, TARGETS, test_size=0.2, random_state=3)
    return inputs, targets


SETTINGS = {"preprocessing": "pca_whitening", "components": 5, "target_preprocessing": "standardize"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preprocessed")
    train_experiment(experiment(folder, **SETTINGS), parent=folder)
    return folder


def test_metrics_are_in_original_units(trained: Path) -> None:
    inputs, targets = parts_of(trained)
    loaded = load_run(trained / "run", "latest")
    predictions = loaded.predict(inputs)
    expected = {
        "rmse": metrics.root_mean_squared_error(targets, predictions),
        "mae": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
    }
    assert expected["r2"] > 0.6
    with RunReader(trained / "run") as reader:
        rows = {row.split: row.metrics for row in reader.evaluations()}
    recorded, found = rows["test"], loaded.evaluate(inputs, targets)
    assert {"loss", "rmse", "mae", "r2"} == set(recorded) == set(rows["validation"])
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4)
        np.testing.assert_allclose(recorded[name], value, rtol=1e-4)
    # The loss is that of the targets that the network sees.
    assert loaded.target_transform is not None
    loss = np.mean(np.square((predictions - targets) / loaded.target_transform.deviation))
    assert found["loss"] == pytest.approx(loss, rel=1e-3)


def test_a_resumed_run_gives_the_same_bits(trained: Path, tmp_path: Path) -> None:
    whole = load_run(trained / "run", "latest")
    settings = experiment(tmp_path, **SETTINGS)
    from msgspec.structs import replace

    half = replace(settings, training=replace(settings.training, epochs=7))
    train_experiment(half, parent=tmp_path)
    file = tmp_path / "run" / "experiment.toml"
    file.write_text(file.read_text().replace("epochs = 7", "epochs = 20"))
    resume_run(tmp_path / "run")
    again = load_run(tmp_path / "run", "latest")
    assert again.network.flat_parameters.tobytes() == whole.network.flat_parameters.tobytes()
    assert again.transform.matrix is not None
    assert again.transform.matrix.tobytes() == whole.transform.matrix.tobytes()  # type: ignore[union-attr]


def changed(trained: Path, folder: Path, change: Any) -> Path:
    """A copy of the run whose last checkpoint was changed."""
    shutil.copytree(trained / "run", folder / "run")
    checkpoint, file, _ = checkpoints.load_latest(folder / "run")
    tensors = {name: values.copy() for name, values in checkpoint.tensors.items()}
    state = dict(checkpoint.state)
    change(tensors, state)
    for old in (folder / "run" / "checkpoints").iterdir():
        old.unlink()
    checkpoints.save(folder / "run", checkpoints.Checkpoint(checkpoint.step, tensors, state, {}))
    assert file.exists()
    return folder / "run"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("preprocessing.matrix", None, "preprocessing: has no matrix"),
        ("preprocessing.matrix", np.zeros((4, 4)), "preprocessing: holds a matrix [4, 4] that cannot be"),
        ("target_preprocessing.deviation", np.zeros(2), "preprocessing: holds values that are not finite or"),
        ("target_preprocessing.mean", None, "preprocessing: has no mean"),
    ],
)
def test_a_damaged_transform_is_refused(
    trained: Path, tmp_path: Path, name: str, values: Any, message: str
) -> None:
    def change(tensors: dict[str, Any], state: dict[str, Any]) -> None:
        del tensors[name]
        if values is not None:
            tensors[name] = values

    run = changed(trained, tmp_path, change)
    with pytest.raises(InputError) as caught:
        load_run(run, "latest")
    assert str(caught.value).startswith(f"{run}/checkpoints/step-")
    assert message in str(caught.value)


def test_checkpoints_of_the_first_versions_know_no_targets(tmp_path: Path) -> None:
    train_experiment(experiment(tmp_path), parent=tmp_path)

    def change(tensors: dict[str, Any], state: dict[str, Any]) -> None:
        del state["target_preprocessing"]

    (tmp_path / "copy").mkdir()
    old = load_run(changed(tmp_path, tmp_path / "copy", change), "latest")
    new = load_run(tmp_path / "run", "latest")
    assert old.target_transform is None
    np.testing.assert_array_equal(old.predict(INPUTS), new.predict(INPUTS))


def test_pixels_are_shuffled_before_a_prediction(tmp_path: Path) -> None:
    table = {
        "name": "run",
        "data": {"source": "digits", "corruption": {"pixels": "shuffled"}, "split": {"test_fraction": 0.15}},
        "model": {"layers": [{"type": "dense", "units": 10}]},
        "optimizer": {"type": "gradient_descent", "learning_rate": 0.1},
        "training": {"epochs": 3},
    }
    outcome = train_experiment(parse_experiment(table, tmp_path), parent=tmp_path)
    from ravine.data import load_digits, split

    digits = load_digits()
    rows = split(len(digits), test_fraction=0.15).test
    found = load_run(tmp_path / "run", "latest").evaluate(digits.inputs[rows], digits.targets[rows])
    assert found["accuracy"] == outcome.metrics["test"]["accuracy"] > 0.85


def test_arrays_with_groups_can_be_trained_on(tmp_path: Path) -> None:
    table = {
        "name": "run",
        "loss": "squared_error",
        "data": {"source": "arrays", "split": {"test_count": 2}},
        "model": {"layers": [{"type": "dense", "units": 2}]},
        "optimizer": "adam",
        "training": {"epochs": 1},
    }
    data = ArraySource(as_dataset(INPUTS, TARGETS), groups=np.arange(300) // 30)
    train_experiment(parse_experiment(table, tmp_path), data=data, parent=tmp_path)
    with RunReader(tmp_path / "run") as reader:
        assert reader.state().meta["data"]["test"] == 60


def test_targets_of_another_width(trained: Path) -> None:
    with pytest.raises(InputError, match="there are 1 target values a sample, but the network gives 2"):
        load_run(trained / "run", "latest").evaluate(INPUTS, TARGETS[:, :1])
