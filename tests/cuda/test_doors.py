"""What a user meets who asks for a device: one line where it cannot be had, and a run where it can."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ravine import _core
from ravine.experiment import load_experiment
from ravine.runs import RunFolder
from ravine.training.session import train_experiment


def ravine(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ravine", *words],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def is_twin() -> bool:
    return any(detail == "the host's twin, for tests" for _, _, detail in _core.report())


@pytest.fixture
def twin() -> None:
    if not is_twin():
        pytest.skip("makes cards up, which the host's twin can")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("trains on a device: give it with --device")


WAYS = [
    ("no driver", "cuda", "cuda:0 was asked for, but there is no NVIDIA driver (CUDA 13.0 needs one)"),
    (
        "driver 12.8",
        "cuda",
        "the NVIDIA driver serves CUDA 12.8, and CUDA 13.0 is needed: install driver 580 or newer",
    ),
    ("", "cuda", "the NVIDIA driver shows no card (does CUDA_VISIBLE_DEVICES hide it?)"),
    ("9.0", "cuda:1", "cuda:1 was asked for, but there is only cuda:0"),
    ("9.0,8.0,10.0", "cuda:3", "there are only cuda:0 to cuda:2"),
    ("9.0,7.0", "cuda:1", "has compute capability 7.0, and 7.5 (Turing) or newer is needed"),
]


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize(("cards", "device_name", "words"), WAYS)
def test_a_card_that_cannot_be_used(tmp_path: Path, cards: str, device_name: str, words: str) -> None:
    for command in ("describe", "train"):
        done = ravine(command, "digits", "--device", device_name, cwd=tmp_path, RAVINE_TWIN_CARDS=cards)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("ravine: error: digits (shipped): compute.device: ")
        assert words in line
        assert line.endswith("; use device cpu")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("twin")
def test_doctor_lists_the_cards_that_can_be_used(tmp_path: Path) -> None:
    done = ravine("doctor", "--json", cwd=tmp_path, RAVINE_TWIN_CARDS="9.0,7.0,12.0")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["cuda:0"]["status"] == found["cuda:2"]["status"] == "ok"
    assert "compute capability 12.0" in found["cuda:2"]["detail"]
    assert found["cuda:1"]["status"] == "missing"


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize(
    ("cards", "fix"), [("driver 12.8", "install NVIDIA's driver 580"), ("", "unset CUDA_VISIBLE_DEVICES")]
)
def test_doctor_says_what_to_do_about_a_driver(
    cards: str, fix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is a driver; in this process, which has the report of its own cards."""
    from ravine.commands import doctor_gpu

    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.172.08  Tue Jul  8 2025\n")
    monkeypatch.setattr(doctor_gpu, "DRIVER", version)
    monkeypatch.setenv("RAVINE_TWIN_CARDS", cards)
    found = {one.name: one for one in doctor_gpu.gpu()}
    assert found["NVIDIA driver"].detail == "570.172.08"
    assert found["CUDA"].status in ("missing", "ok")
    assert any(one.fix.startswith(fix) for one in doctor_gpu.gpu())


@pytest.mark.usefixtures("needs_device")
def test_a_run_begun_in_one_place_goes_on_in_another(tmp_path: Path, device: str) -> None:
    """The example of the digits, by the command line: half on the processor, half on the device, and back."""
    quick = ("--quiet", "--set", "training.epochs=1", "--set", 'compute.dtype="float64"')
    losses = []
    for first, second in (("cpu", device), (device, "cpu")):
        name = f"from-{first.replace(':', '')}"
        done = ravine("train", "digits", "--device", first, "--name", name, *quick, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        words = ("--set", "training.epochs=2", "--set", f"compute.device={json.dumps(second)}")
        done = ravine("resume", f"runs/{name}", "--json", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        end = json.loads(done.stdout.splitlines()[-1])
        assert end["epochs"] == 2
        assert end["metrics"]["test"]["accuracy"] > 0.8
        losses.append(end["metrics"]["test"]["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.usefixtures("needs_device")
def test_the_example_begins_alike(tmp_path: Path, device: str) -> None:
    """Its first ten losses are those of the processor, masks of dropout included, and it learns as much."""
    losses, ends = [], []
    for place in ("cpu", device):
        overrides = [f"compute.device={json.dumps(place)}", f"name={json.dumps(place.replace(':', ''))}"]
        outcome = train_experiment(load_experiment("digits_gpu", overrides), parent=tmp_path)
        with RunFolder.open(outcome.path).reader() as reader:
            losses.append(reader.series("loss")[1][:10])
        ends.append(outcome.metrics["test"])
    assert len(losses[0]) == 10
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert ends[1]["accuracy"] == pytest.approx(ends[0]["accuracy"], abs=0.02)
