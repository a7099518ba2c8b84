"""A training on a failing disk: it says path and cause, keeps the last good checkpoint, and can go on."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ravine.errors import RunError
from ravine.experiment import Experiment
from ravine.runs import RunFolder, RunWriter, files
from ravine.training import checkpoint as checkpoints
from ravine.training.session import resume_run, train_experiment


class FailingFiles(files.FileSystem):
    """Lets one kind of call fail from the n-th on."""

    def __init__(self, call: str, code: int, number: int) -> None:
        self.call, self.code, self.left = call, code, number

    def _count(self, call: str) -> None:
        if call == self.call:
            self.left -= 1
            if self.left <= 0:
                raise OSError(self.code, os.strerror(self.code))

    def open(self, path: Path, flags: int) -> int:
        self._count("open")
        return super().open(path, flags)

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        self._count("write")
        return super().write(descriptor, data, offset)

    def synchronize(self, descriptor: int) -> None:
        self._count("synchronize")
        super().synchronize(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename")
        super().rename(source, target)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize(
    ("call", "number"), [("write", 30), ("synchronize", 17), ("rename", 8), ("open", 14)]
)
def test_a_checkpoint_that_cannot_be_written(
    experiment: Callable[..., Experiment],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    code: int,
) -> None:
    unbroken = train_experiment(experiment(), parent=tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        patch.setattr(files, "system", FailingFiles(call, code, number))
        with pytest.raises(RunError) as raised:
            train_experiment(experiment(), parent=tmp_path)
    run = tmp_path / "run"
    text = str(raised.value)
    assert os.strerror(code).lower() in text.lower()
    assert str(run / "checkpoints") in text
    with RunFolder.open(run).reader() as reader:
        assert reader.state().state == "crashed"
        assert os.strerror(code).lower() in reader.state().reason.lower()
    assert checkpoints.load_latest(run).warning is None
    assert not RunFolder.open(run).holder()
    assert resume_run(run).sha256 == unbroken.sha256


# Trains or resumes under a limit on the size of every file, as a disk that fills up while it is written.
LIMITED = """
import resource, signal, sys
from ravine.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
sys.exit(main())
"""


WIDE = ["model.layers.0.units=6000", "statistics.every=0", "training.epochs=1"]


@pytest.mark.parametrize(
    ("limit", "words", "where", "cause"),
    [
        (3_000, [], "run.db", "disk I/O error"),
        (70_000, [], "run.db", "disk I/O error"),
        (110_000, [], "run.db", "disk I/O error"),
        (300_000, WIDE, "checkpoints/", "file too large"),
    ],
)
def test_a_full_disk(
    experiment: Callable[..., Experiment],
    experiment_file: Path,
    tmp_path: Path,
    limit: int,
    words: list[str],
    where: str,
    cause: str,
) -> None:
    """Wherever the space ends, one line names the file; with space again the run goes on to the same bits."""
    unbroken = train_experiment(experiment(*words), parent=tmp_path / "unbroken")
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    command = ["train", str(experiment_file), "--runs", "runs", "--quiet", "--json"]
    command += [word for override in words for word in ("--set", override)]
    done = subprocess.run(
        [sys.executable, str(script), str(limit), *command],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1, done
    assert done.stderr.startswith(f"ravine: error: runs/run/{where}"), done
    assert cause in done.stderr
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert error["file"].startswith(f"runs/run/{where}")
    run = tmp_path / "runs" / "run"
    if checkpoints.latest(run) is not None:
        assert checkpoints.load_latest(run).warning is None
    resumed = resume_run(run)
    assert resumed.sha256 == unbroken.sha256
    assert resumed.metrics == unbroken.metrics
    with RunFolder.open(run).reader() as found, RunFolder.open(unbroken.path).reader() as expected:
        assert found.tail(limit=10**6).values.tobytes() == expected.tail(limit=10**6).values.tobytes()


def test_a_log_that_cannot_be_written(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path)
    log: Any = outcome.path / "log.txt"
    log.unlink()
    log.mkdir()
    with pytest.raises(RunError, match=r"log\.txt: "):
        resume_run(outcome.path, overrides=["training.epochs=2"])
    log.rmdir()
    assert resume_run(outcome.path).step == 44


def test_a_disk_that_fails_at_the_very_end(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last step, while the test metrics are recorded: the reason is kept, resume ends the run."""
    original = RunWriter.record_evaluation

    def record_evaluation(self: RunWriter, step: int, epoch: float, split: str, metrics: Any) -> None:
        if split == "test":
            raise RunError("cannot be written: database or disk is full", file=self.path)
        original(self, step, epoch, split, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "record_evaluation", record_evaluation)
        with pytest.raises(RunError, match="disk is full"):
            train_experiment(experiment(), parent=tmp_path)
    with RunFolder.open(tmp_path / "run").reader() as reader:
        assert reader.state().state == "crashed"
        assert "disk is full" in reader.state().reason
    unbroken = train_experiment(experiment(), parent=tmp_path / "unbroken")
    resumed = resume_run(tmp_path / "run")
    assert resumed.metrics == unbroken.metrics
    assert resumed.sha256 == unbroken.sha256
