"""A disk that is full when a checkpoint is due: one line, the last good checkpoint stays, resume goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# A checkpoint is some 300 KB: one and the record fit on the small disk, two do not.
EXPERIMENT = (
    "--set",
    "model.layers.0.units=1000",
    "--set",
    "training.epochs=3",
    "--set",
    "training.checkpoint_seconds=0",
    "--set",
    "statistics.every=0",
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 640 KB, mounted on runs/."""
    folder = tmp_path / "runs"
    folder.mkdir()
    mount = shutil.which("mount")
    command = ["-t", "tmpfs", "-o", "size=640k", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *command], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(ravine, small_disk: Path) -> None:
    done = ravine("train", "digits", *EXPERIMENT, "--quiet", "--json")
    message = done.one_line_error()
    assert "no space left on device; free some space, then continue with `ravine resume`" in message
    assert "runs/digits/checkpoints/step-" in message
    assert str(done.json["error"]["file"]).startswith("runs/digits/checkpoints/")
    kept = list((small_disk / "digits/checkpoints").iterdir())
    assert len(kept) == 1  # whole, and no temporary file beside it

    assert "no space left" in ravine("resume", "digits", "--quiet").one_line_error()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    resumed = ravine("resume", "digits", "--quiet", "--json")
    assert resumed.code == 0
    unbroken = ravine("train", "digits", *EXPERIMENT, "--quiet", "--json")
    assert resumed.json["sha256"] == unbroken.json["sha256"]


def test_file_size_limit(tmp_path: Path) -> None:
    """The same without a mount: no file may grow beyond 200 KB."""
    words = ["train", "digits", *EXPERIMENT, "--quiet"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 200; exec "$@"', "-", sys.executable, "-m", "ravine", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ravine: error: runs/digits/checkpoints/")
    assert "file too large" in line
    assert list((tmp_path / "runs/digits/checkpoints").iterdir()) == []
