"""A run may begin on one device and go on on another: within rounding; on the same device the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.cli import main
from ravine.experiment import load_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints

TEXT = """
name = "run"
seed = 11

[data]
source = "npz"
file = "data.npz"

[data.split]
validation_fraction = 0.2
test_fraction = 0.1
seed = 3

[model]
layers = [
  { type = "dense", units = 24, activation = "relu", weight_initializer = "he_normal" },
  { type = "dropout", rate = 0.25 },
  { type = "dense", units = 5 },
]

[optimizer]
type = "adam"
learning_rate = 0.01

[regularization]
l2 = 1e-4
clip_norm = 5.0

[training]
epochs = 4
batch_size = 32
checkpoint_seconds = 0
average_weights = 0.9
"""
CLOSE = {"float32": 2e-4, "float64": 1e-9}

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    random = np.random.default_rng(5)
    labels = random.integers(0, 5, 300)
    inputs = random.normal(0, 1, (5, 12))[labels] + random.normal(0, 1, (300, 12))
    np.savez(tmp_path / "data.npz", inputs=inputs.astype(np.float32), targets=labels)
    path = tmp_path / "experiment.toml"
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


def run(*words: str, capsys: Any) -> dict[str, Any]:
    assert main([*words, "--quiet", "--json"]) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return printed


def tensors(name: str) -> dict[str, Any]:
    return dict(checkpoints.load_latest(Path("runs") / name).checkpoint.tensors)


def trained(experiment: Path, name: str, places: tuple[str, ...], dtype: str, capsys: Any) -> dict[str, Any]:
    """Trained by the command line, one sitting a place, one epoch or more in each."""
    epochs = [round(4 * (i + 1) / len(places)) for i in range(len(places))]
    words = ["train", str(experiment), "--name", name, "--device", places[0]]
    outcome = run(
        *words, "--set", f"training.epochs={epochs[0]}", "--set", f"compute.dtype={dtype}", capsys=capsys
    )
    for place, until in zip(places[1:], epochs[1:], strict=True):
        changes = ["--device", place, "--set", f"training.epochs={until}"]
        outcome = run("resume", f"runs/{name}", *changes, capsys=capsys)
    assert outcome["epochs"] == 4
    return outcome


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_here_and_there(device, dtype, experiment, capsys):
    trained(experiment, "cpu", ("cpu",), dtype, capsys)
    expected = tensors("cpu")
    for number, places in enumerate([(device,), ("cpu", device), (device, "cpu"), ("cpu", device, "cpu")]):
        name = f"run-{number}"
        trained(experiment, name, places, dtype, capsys)
        found = tensors(name)
        assert set(found) == set(expected)
        for key, values in expected.items():
            scale = float(np.abs(values).max()) or 1.0
            close = CLOSE[dtype] * scale
            np.testing.assert_allclose(found[key], values, rtol=CLOSE[dtype], atol=close, err_msg=key)
        # The file says where the run is now; the checkpoint knows of no device.
        assert load_experiment(Path("runs") / name / "experiment.toml").compute.device == places[-1]
        header = json.dumps(checkpoints.load_latest(Path("runs") / name).checkpoint.state)
        assert "cuda" not in header
        assert "device" not in header


def test_the_same_bits_where_it_stays(device, experiment, capsys):
    whole = trained(experiment, "whole", (device,), "float32", capsys)
    parts = trained(experiment, "parts", (device, device, device), "float32", capsys)
    assert parts["sha256"] == whole["sha256"]
    assert parts["metrics"] == whole["metrics"]
    left, right = tensors("whole"), tensors("parts")
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)
    again = trained(experiment, "again", (device,), "float32", capsys)
    assert again["sha256"] == whole["sha256"]


def test_deterministic_mode(device, experiment, capsys):
    """In the parts that several ranks would compute: close to the CPU's, the same bits every time."""
    text = experiment.read_text(encoding="utf-8")
    experiment.write_text(f"{text}\n[parallel]\ndeterministic = true\n", encoding="utf-8")
    first = trained(experiment, "first", (device,), "float64", capsys)
    again = trained(experiment, "again", (device, device), "float64", capsys)
    assert again["sha256"] == first["sha256"]
    trained(experiment, "cpu", ("cpu",), "float64", capsys)
    found, expected = tensors("first"), tensors("cpu")
    for key, values in expected.items():
        scale = float(np.abs(values).max()) or 1.0
        np.testing.assert_allclose(found[key], values, rtol=1e-9, atol=1e-9 * scale, err_msg=key)


def test_measured_and_predicted_elsewhere(device, experiment, capsys):
    trained(experiment, "run", (device,), "float32", capsys)
    found = []
    for place in (device, "cpu"):
        assert main(["evaluate", "runs/run", "--device", place, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1])["metrics"])
        assert main(["predict", "runs/run", "data.npz", "--device", place, "--output", f"{place}.npz"]) == 0
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], rel=1e-5)
    assert found[0]["accuracy"] == found[1]["accuracy"]
    there, here = np.load(f"{device}.npz"), np.load("cpu.npz")
    np.testing.assert_allclose(there["probabilities"], here["probabilities"], rtol=1e-4, atol=1e-6)


def test_the_record_says_where(device, experiment, capsys):
    """What a resume has changed is an event of the run, the device like any other setting."""
    trained(experiment, "run", ("cpu", device), "float32", capsys)
    with RunFolder.open(Path("runs/run")).reader() as reader:
        events = json.dumps([repr(event) for event in reader.events()])
    assert "compute.device" in events
    assert device in events
    log = (Path("runs/run") / "log.txt").read_text(encoding="utf-8")
    assert "from step 0 with" in log
    assert f"on {device if ':' in device else device + ':0'}" in log
