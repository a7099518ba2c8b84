"""`ravine train` and `ravine resume` as users start them on several ranks."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import load_experiment, resume_run, train_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints

SETTINGS = (
    "compute.dtype=float64", "compute.threads=1", "training.epochs=4000", "optimizer=adam",
    "training.checkpoint_seconds=1000", "data.split.validation_fraction=0.1",
)  # fmt: skip
OVERRIDES = [word for setting in SETTINGS for word in ("--set", setting)]


def ravine(*words: object) -> tuple[object, ...]:
    return ("-m", "ravine", *words)


def test_train_stop_resume(mpirun: Any, tmp_path: Path) -> None:
    """Three ranks, stopped by a signal at one of them; two go on; one comes to what one alone comes to."""
    job = mpirun.start(3, *ravine("train", "digits", "--name", "a", *OVERRIDES))
    log = tmp_path / "runs" / "a" / "log.txt"
    job.until(lambda: log.exists() and "3 ranks, 3 x 1" in log.read_text() and "epoch" in job.output()[0])
    os.kill(job.ranks()[1], signal.SIGTERM)
    stopped = job.wait(60)
    assert stopped.code == 130, stopped
    assert stopped.out.count("resume with: ravine resume runs/a") == 1
    step = checkpoints.load_latest(tmp_path / "runs" / "a").checkpoint.step
    epochs = step // 43 + 2
    assert 0 < step < 4000 * 43
    # Every epoch's line once, of rank 0 alone.
    lines = [line for line in stopped.out.splitlines() if line.startswith("epoch")]
    assert len(lines) == len(set(lines))
    done = mpirun(2, *ravine("resume", "a", "--set", f"training.epochs={epochs}"))
    assert done.code == 0, done
    assert done.out.count("run folder: runs/a") == 1
    resume_run(tmp_path / "runs" / "a", overrides=[f"training.epochs={epochs + 1}"])
    experiment = load_experiment("digits", [*SETTINGS, f"training.epochs={epochs + 1}"])
    alone = train_experiment(experiment, parent=tmp_path / "alone")
    ours = checkpoints.load_latest(tmp_path / "runs" / "a").checkpoint.tensors
    for name, values in checkpoints.load_latest(alone.path).checkpoint.tensors.items():
        np.testing.assert_allclose(ours[name], values, rtol=0, atol=1e-9 * (abs(values).max() or 1))
    with RunFolder.open(tmp_path / "runs" / "a").reader() as reader:
        steps = reader.series("loss")[0]
    assert steps.tolist() == list(range(1, alone.step + 1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "nothing.toml"), "ravine: error: nothing.toml: no such experiment file"),
        (("train", "digits", "--set", "parallel.data=3"), "parallel.data: is 3, and with model = 1"),
    ],
)
def test_what_all_ranks_find_is_said_once(
    words: tuple[str, ...], message: str, mpirun: Any, tmp_path: Path
) -> None:
    done = mpirun(2, *ravine(*words))
    assert done.code == 2, done
    errors = [line for line in done.err.splitlines() if line.startswith("ravine: error")]
    assert len(errors) == 1, done
    assert message in errors[0]
    assert not list(tmp_path.iterdir())


def test_other_commands_are_rank_0s(mpirun: Any) -> None:
    done = mpirun(3, *ravine("describe", "digits"))
    assert done.code == 0, done
    assert done.out.count("digits: training, batch 32") == 1


def test_without_mpi4py(mpirun: Any, tmp_path: Path) -> None:
    (tmp_path / "mpi4py.py").write_text("raise ImportError('no such module')")
    done = mpirun(2, *ravine("train", "digits"), PYTHONPATH=str(tmp_path))
    assert done.code == 2, done
    errors = [line for line in done.err.splitlines() if line.startswith("ravine: error")]
    assert len(errors) == 1, done
    assert 'pip install "ravine[mpi]"' in errors[0]
