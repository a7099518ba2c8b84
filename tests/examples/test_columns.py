"""The AlexNet of two columns: what it is made of, and a short training on drawn images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential, _core
from ravine.experiment import load_experiment, to_toml
from ravine.training.session import train_experiment


def test_columns_cross_at_one_place() -> None:
    """A. Krizhevsky et al., NIPS 2012, section 3.5: only the third convolutions read both columns."""
    experiment = load_experiment("alexnet_columns")
    network = Sequential(*experiment.model.layers).network([32, 32, 3], loss=experiment.loss, threads=1)
    inputs = {
        layer["name"]: layer["input_shape"][-1] for layer in network.layers if layer["type"] == "convolution"
    }
    assert [*inputs.values()] == [3, 24, 3, 24, 96, 64, 64, 96, 64, 64]
    assert [layer["type"] for layer in network.layers].count("concatenate") == 2
    dense = [layer["output_shape"] for layer in network.layers if layer["type"] == "dense"]
    assert dense == [(256,), (256,), (10,)]


def test_two_ranks_have_half_of_it_each(tmp_path: Path) -> None:
    """A column each and half of the dense layers; the last of them, of 2,570 weights, is on both."""
    written = tmp_path / "written.toml"
    written.write_text(to_toml(load_experiment("alexnet_columns")), encoding="utf-8")
    for file in ("alexnet_columns", written):
        experiment = load_experiment(file)
        for group in _core.thread_communicators(2):
            network = Sequential(*experiment.model.layers).network(
                [32, 32, 3], loss=experiment.loss, threads=1, ranks=_core.Ranks(model=group)
            )
            places = network.places
            assert [places[f"convolution_{n}"] for n in (1, 2, 5, 6, 7)] == ["rank 0"] * 5
            assert [places[f"convolution_{n}"] for n in (3, 4, 8, 9, 10)] == ["rank 1"] * 5
            assert places["dense_1"] == places["dense_2"] == "128 + 128 units"
            whole = sum(layer["parameters"] for layer in network.layers)
            assert network.flat_parameters.size == (whole - 2570) // 2 + 2570


def test_it_trains(tmp_path: Path, stripes: list[str]) -> None:
    settings = [
        "training.epochs=12",
        "training.batch_size=20",
        "schedules={}",
        "optimizer={type='adam', learning_rate=0.001}",
    ]
    experiment = load_experiment("alexnet_columns", [*stripes, *settings])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.5


@pytest.fixture
def stripes(tmp_path: Path) -> list[str]:
    """Overrides that name images of noise with a bright band, whose place is the label."""
    random = np.random.default_rng(0)
    labels = np.arange(200) % 10
    images = random.integers(0, 120, (200, 32, 32, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label + 1 : 3 * label + 4] = 255
    np.savez(tmp_path / "images.npz", inputs=images, targets=labels)
    file = str(tmp_path / "images.npz")
    return [f"data={{source='npz', file='{file}', test_file='{file}', preprocessing='standardize'}}"]
