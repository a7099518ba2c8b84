"""`ravine runs` and `ravine control`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def test_lists_runs(there) -> None:
    (run,) = there("runs", "--json").json["runs"]
    assert (run["name"], run["state"], run["step"], run["epochs"]) == ("digits", "finished", 96, 2)
    header, _, line = there("runs").out.splitlines()
    assert header.split() == ["name", "state", "step", "epoch", "accuracy", "loss", "trained", "started"]
    assert line.split()[:4] == ["digits", "finished", "96", "2/2"]
    assert line.split()[4] == f"{run['metrics']['test.accuracy']:.4f}"


def test_no_runs(ravine) -> None:
    assert ravine("runs", "--runs", "nowhere").out.startswith("no runs in nowhere; ")
    assert ravine("runs", "--json").json == {"runs": []}


def test_damaged_run_is_listed_with_its_reason(ravine, tmp_path: Path) -> None:
    (tmp_path / "runs/broken").mkdir(parents=True)
    (tmp_path / "runs/broken/run.db").write_bytes(b"no database" * 100)
    done = ravine("runs")
    assert done.code == 0
    assert "broken: damaged: " in done.out


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that would take very long, after its first epoch; it prints into output.txt."""
    words = ["train", "digits", "--set", "training.epochs=1000000", "--set", "statistics.every=0"]
    output = tmp_path / "output.txt"
    with (
        output.open("w") as file,
        subprocess.Popen([sys.executable, "-m", "ravine", *words], cwd=tmp_path, stdout=file) as process,
    ):
        try:
            while "epoch " not in output.read_text():
                assert process.poll() is None
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def test_a_training_obeys(ravine, training: subprocess.Popen[bytes], tmp_path: Path) -> None:
    edited = ravine("control", "digits", "set", "learning_rate=0.05", "--json").json
    assert (edited["status"], edited["action"]) == ("done", "set")
    assert "refused" in ravine("control", "digits", "set", "learning_rat=1").one_line_error()
    assert "name=value" in ravine("control", "digits", "set").one_line_error()
    assert "is in use by process" in ravine("resume", "digits").one_line_error()
    paused = ravine("control", "digits", "pause", "--json").json
    assert paused["step"] >= edited["step"]
    assert ravine("control", "digits", "step", "3").code == 0
    assert ravine("control", "digits", "checkpoint", "--json").json["step"] == paused["step"] + 3
    assert ravine("control", "digits", "stop", "--json").json["status"] == "done"
    assert training.wait(timeout=30) == 130
    lines = (tmp_path / "output.txt").read_text().splitlines()
    assert f"paused after step {paused['step']:,}" in lines
    assert lines[-1] == f"stopped at step {paused['step'] + 3:,}; resume with: ravine resume runs/digits"


def test_nobody_trains(there) -> None:
    assert "is not running" in there("control", "digits", "stop").one_line_error()
