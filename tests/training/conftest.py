"""Small experiments on data of their own, and real trainer processes to be steered and killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.experiment import Experiment, load_experiment

# Momentum, dropout, clipping, L2, an uneven last batch and a validation split.
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
type = "momentum"
learning_rate = 0.02
momentum = 0.9

[regularization]
l2 = 1e-4
clip_norm = 5.0

[training]
epochs = 6
batch_size = 32
checkpoint_seconds = 0
"""


def _write_data(path: Path, samples: int = 1003, features: int = 12, seed: int = 5) -> None:
    """Five classes, separated well but not wholly; 701 training samples of 1003, no multiple of 32."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, samples)
    centres = random.normal(0, 1, (5, features))
    inputs = (centres[labels] + random.normal(0, 1, (samples, features))).astype(np.float32)
    np.savez(path, inputs=inputs, targets=labels)


def _write_experiment(folder: Path) -> Path:
    _write_data(folder / "data.npz")
    path = folder / "experiment.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write_data() -> Callable[..., None]:
    """Writes the data of the experiment, or with another seed other data of the same shape."""
    return _write_data


@pytest.fixture(scope="session")
def write_experiment() -> Callable[[Path], Path]:
    """Writes the experiment above into a folder, with its data beside it."""
    return _write_experiment


@pytest.fixture
def experiment_file(tmp_path: Path) -> Path:
    """The experiment above, with its data beside it."""
    return _write_experiment(tmp_path)


@pytest.fixture
def experiment(experiment_file: Path) -> Callable[..., Experiment]:
    """The experiment, with changes: ``experiment("training.epochs=2")``."""
    return lambda *overrides: load_experiment(experiment_file, overrides)


@dataclass
class Process:
    """A trainer process; ``run`` is its run folder."""

    popen: subprocess.Popen[str]
    run: Path
    log_lines: int

    def training(self) -> bool:
        """The training loop has begun, in this process."""
        log = self.run / "log.txt"
        return log.exists() and len(_starts(log)) > self.log_lines

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
        """Waits for something that the process does; fails if it ends before or never does it."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.popen.poll() is not None and not condition():
                out, error = self.popen.communicate()
                pytest.fail(f"the trainer ended before: {what}\n{out}\n{error}")
            if time.monotonic() > deadline:
                pytest.fail(f"the trainer did not come to: {what}")
            time.sleep(0.002)

    def end(self, seconds: float = 60) -> dict[str, Any]:
        """Waits for the end; returns the object of --json, with the exit code and standard error."""
        out, error = self.popen.communicate(timeout=seconds)
        lines = out.splitlines()
        answer = json.loads(lines[-1]) if lines else {}
        return {**answer, "code": self.popen.returncode, "stderr": error}


def _starts(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "training from step" in line]


@pytest.fixture
def trainer_process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts ``ravine train`` or ``ravine resume`` in a process; what still runs at the end is killed.

    ``trainer_process("train", file, *words)`` trains in ``tmp_path/runs/run``; ``script`` is run instead.
    """
    started: list[subprocess.Popen[str]] = []

    def start(
        action: str, file: Path | None = None, *words: str, name: str = "run", script: Path | None = None
    ) -> Process:
        run = tmp_path / "runs" / name
        program = [str(script)] if script else ["-m", "ravine"]
        command = [sys.executable, *program, action]
        if action == "train":
            command += [str(file), "--runs", str(run.parent), "--name", name]
        else:
            command += [str(run)]
        log = run / "log.txt"
        before = len(_starts(log)) if log.exists() else 0
        popen = subprocess.Popen(
            [*command, "--quiet", "--json", *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(popen)
        return Process(popen, run, before)

    yield start
    for popen in started:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()
