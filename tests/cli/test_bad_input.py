"""Bad input of every kind: one line with file and key or row, exit code 2, and the same as JSON."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

EXPERIMENT = """
name = "small"
loss = "softmax_cross_entropy"
optimizer = {{type = "gradient_descent", learning_rate = {rate}}}
[data]
{data}
{section}
[model]
layers = [{layers}]
[training]
epochs = 1
batch_size = 4
"""
LAYERS = '{type = "dense", units = 8, activation = "relu"}, {type = "dense", units = 3}'
NPZ = 'source = "npz"\nfile = "points.npz"'


def write_experiment(
    folder: Path, *, rate: str = "0.1", data: str = NPZ, section: str = "", layers: str = LAYERS
) -> None:
    text = EXPERIMENT.format(rate=rate, data=data, section=section, layers=layers)
    (folder / "small.toml").write_text(text)


def write_points(folder: Path, **changes: float) -> None:
    """Twelve points with four features in three classes; a change is named by array and row."""
    inputs = np.random.default_rng(1).normal(size=(12, 4))
    targets = np.arange(12) % 3
    if "nan_row" in changes:
        inputs[int(changes["nan_row"]), 2] = np.nan
    if "label" in changes:
        targets[5] = int(changes["label"])
    np.savez(folder / "points.npz", inputs=inputs, targets=targets)


def write_idx(folder: Path, *, truncate: bool) -> None:
    images = np.zeros((12, 2, 2), np.uint8)
    content = gzip.compress(struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes())
    (folder / "images.gz").write_bytes(content[:-9] if truncate else content)
    labels = bytes(range(3)) * 4
    (folder / "labels.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 12) + labels))


def unknown_key(folder: Path) -> None:
    write_points(folder)
    write_experiment(folder, section="prepocessing = 'none'")


def wrong_type(folder: Path) -> None:
    write_points(folder)
    write_experiment(folder, rate='"fast"')


def out_of_range(folder: Path) -> None:
    write_points(folder)
    write_experiment(folder, rate="-0.1")


def missing_file(folder: Path) -> None:
    write_experiment(folder, data='source = "npz"\nfile = "pionts.npz"')
    write_points(folder)


def truncated_gzip(folder: Path) -> None:
    write_idx(folder, truncate=True)
    write_experiment(
        folder,
        data='source = "idx"\ntrain_images = "images.gz"\ntrain_labels = "labels.gz"',
        layers='"flatten", ' + LAYERS,
    )


def label_out_of_range(folder: Path) -> None:
    write_points(folder, label=3)
    write_experiment(folder)


def nan_in_the_data(folder: Path) -> None:
    write_points(folder, nan_row=7)
    write_experiment(folder)


def shapes_that_do_not_fit(folder: Path) -> None:
    write_idx(folder, truncate=False)
    write_experiment(folder, data='source = "idx"\ntrain_images = "images.gz"\ntrain_labels = "labels.gz"')


def no_toml(folder: Path) -> None:
    (folder / "small.toml").write_text('name = "small"\nseed = = 3\n')


def unknown_optimizer(folder: Path) -> None:
    write_points(folder)
    write_experiment(folder)
    path = folder / "small.toml"
    path.write_text(path.read_text().replace("gradient_descent", "gradient_decent"))


def unknown_layer_setting(folder: Path) -> None:
    write_points(folder)
    write_experiment(folder, layers='{type = "dense", unit = 3}')


CASES: list[tuple[Callable[[Path], None], dict[str, object], list[str]]] = [
    (unknown_key, {"file": "small.toml", "key": "data.prepocessing"}, ["did you mean 'preprocessing'?"]),
    (wrong_type, {"file": "small.toml", "key": "optimizer.learning_rate"}, ["fast"]),
    (out_of_range, {"file": "small.toml", "key": "optimizer.learning_rate"}, ["at least 0", "-0.1"]),
    (
        missing_file,
        {"file": "pionts.npz", "key": "data.file"},
        ["does not exist", "did you mean 'points.npz'?"],
    ),
    (truncated_gzip, {"file": "images.gz", "key": "data.train_images"}, ["truncated"]),
    (label_out_of_range, {"file": "points.npz", "key": "data.file", "row": 5}, ["label 3", "0..2"]),
    (nan_in_the_data, {"file": "points.npz", "key": "data.file", "row": 7}, ["NaN"]),
    (shapes_that_do_not_fit, {"file": "small.toml", "layer": "dense_1"}, ["2 x 2 x 1", "flatten"]),
    (no_toml, {"file": "small.toml"}, ["line 2"]),
    (
        unknown_optimizer,
        {"file": "small.toml", "key": "optimizer.type"},
        ["did you mean 'gradient_descent'?"],
    ),
    (unknown_layer_setting, {"file": "small.toml", "key": "model.layers.0.unit"}, ["did you mean 'units'?"]),
]


@pytest.mark.parametrize(
    ("prepare", "where", "expected"), CASES, ids=[prepare.__name__ for prepare, *_ in CASES]
)
def test_bad_experiment(
    ravine, tmp_path: Path, prepare: Callable[[Path], None], where: dict[str, object], expected: list[str]
) -> None:
    prepare(tmp_path)
    done = ravine("train", "small.toml", "--json")
    message = done.one_line_error()
    error = done.json["error"]
    assert error["exit_code"] == 2
    for part, value in where.items():
        if part == "file":
            assert str(error["file"]).endswith(str(value))
        else:
            assert error[part] == value
        assert str(value) in message
    for text in expected:
        assert text in message
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["digts"], "did you mean 'digits'?"),
        (["digits", "--set", "training.epoch=3"], "training.epoch: unknown key; did you mean 'epochs'?"),
        (["digits", "--set", "training"], "not key=value"),
        (["digits", "--set", "training.epochs=0"], "training.epochs: "),
        (["digits", "--threads", "many"], "compute.threads: "),
        (["digits", "--device", "cuda:7"], "compute.device: "),
        (["digits", "--name", "a/b"], "cannot name a run"),
        (
            ["digits", "--set", "data.classes=12"],
            "digits (shipped): model.layers.1: layer 'dense_2': the last layer gives 10 outputs for 12",
        ),
    ],
)
def test_bad_option(ravine, words: list[str], expected: str) -> None:
    assert expected in ravine("train", *words).one_line_error()


def test_run_folder_in_use(ravine, tmp_path: Path) -> None:
    from ravine.runs import RunFolder

    folder = RunFolder.create(tmp_path / "runs", "busy")
    folder.write_experiment("")
    with folder.lock():
        done = ravine("resume", "busy", "--json")
    assert "runs/busy: is in use by process" in done.one_line_error()
    assert done.json["error"]["file"] == "runs/busy"


def test_divergence_names_layer_and_step(ravine) -> None:
    settings = ("--set", "optimizer.learning_rate=1e20", "--set", "model.layers.0.activation=relu")
    done = ravine("train", "digits", *settings, "--json")
    message = done.one_line_error(code=3)
    assert "layer '" in message
    assert "step " in message
    assert done.json["error"]["type"] == "NotFiniteError"
    assert ravine("runs", "--json").json["runs"][0]["state"] == "crashed"


def test_what_is_wrong_with_a_shipped_experiment_is_said_once(ravine) -> None:
    done = ravine("train", "digits", "--set", "model.layers.1.units=5")
    assert done.one_line_error() == "digits (shipped): data: row 5: label 5 is outside 0..4 (5 classes)"
