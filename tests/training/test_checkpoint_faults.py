"""Checkpoints under failing disks and under kill -9: the last good one stays."""

from __future__ import annotations

import errno
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.errors import CheckpointError
from ravine.runs import RunFolder, files
from ravine.training import checkpoint as checkpoints
from ravine.training.checkpoint import Checkpoint

STEPS = 6
FAULTS = ["ENOSPC", "EIO", "EROFS", "EMFILE", "short write", "torn write"]


def example(step: int, size: int = 64) -> Checkpoint:
    tensors: dict[str, Any] = {"a": np.full(size, step, np.float32), "b": np.full(size, step, np.int64)}
    return Checkpoint(step, tensors, {"step": step})


def assert_whole(checkpoint: Checkpoint) -> None:
    assert checkpoint.state == {"step": checkpoint.step}
    assert checkpoint.tensors.keys() == {"a", "b"}
    for tensor in checkpoint.tensors.values():
        assert (tensor == checkpoint.step).all()


class FaultyFiles(files.FileSystem):
    """Lets the n-th call fail, and with ``lasting`` every call after it."""

    def __init__(self, fault: str, number: int, lasting: bool = False) -> None:
        self.fault, self.number, self.lasting = fault, number, lasting
        self.calls = 0
        self.reached = False

    def _due(self) -> bool:
        self.calls += 1
        due = self.calls == self.number or (self.lasting and self.calls > self.number)
        self.reached |= due
        return due

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._due() and self.fault.isupper():
            code = getattr(errno, self.fault)
            raise OSError(code, os.strerror(code))
        return function(*arguments)

    def open(self, path: Path, flags: int) -> int:
        return self._call(super().open, path, flags)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)
        self._call(lambda: None)

    def read(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        return self._call(super().read, descriptor, buffer, offset)

    def write(self, descriptor: int, data: memoryview, offset: int) -> int:
        if self._due():
            count = super().write(descriptor, data[: (len(data) + 1) // 2], offset)
            if self.fault != "short write":
                code = errno.ENOSPC if self.fault == "torn write" else getattr(errno, self.fault)
                raise OSError(code, os.strerror(code))
            return count
        return super().write(descriptor, data, offset)

    def synchronize(self, descriptor: int) -> None:
        self._call(super().synchronize, descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._call(super().rename, source, target)

    def link(self, source: Path, target: Path) -> None:
        self._call(super().link, source, target)

    def remove(self, path: Path) -> None:
        self._call(super().remove, path)


def save_with_fault(folder: Path, monkeypatch: pytest.MonkeyPatch, system: FaultyFiles) -> None:
    """Saves steps 1 to STEPS; after each, failed or not, the last good one and a best must be there."""
    good = best = 0
    for step in range(1, STEPS + 1):
        kind: Any = "best" if step % 2 else "last"
        failed = False
        with monkeypatch.context() as patch:
            patch.setattr(files, "system", system)
            try:
                checkpoints.save(folder, example(step), keep_last=2, kind=kind)
            except CheckpointError as error:
                failed = True
                text = str(error)
                code = getattr(errno, system.fault) if system.fault.isupper() else errno.ENOSPC
                assert os.strerror(code).lower() in text.lower()
                assert str(folder) in text
        if failed and checkpoints.latest(folder) is None:
            assert good == 0
            if checkpoints.best_path(folder).exists():
                found = checkpoints.load(checkpoints.best_path(folder))
                assert found.step in (best, step)
                best = found.step
            continue
        loaded = checkpoints.load_latest(folder)
        assert loaded.warning is None
        assert_whole(loaded.checkpoint)
        assert loaded.checkpoint.step in ((good, step) if failed else (step,))
        good = loaded.checkpoint.step
        if checkpoints.best_path(folder).exists() or best:
            found = checkpoints.load(checkpoints.best_path(folder))
            assert_whole(found)
            assert found.step in ((best, step) if failed else ((step,) if kind == "best" else (best,)))
            best = found.step


def check_faults(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str, stride: int, lasting: bool
) -> None:
    for number in range(1, 1000, stride):
        system = FaultyFiles(fault, number, lasting)
        save_with_fault(folder / str(number), monkeypatch, system)
        if not system.reached:
            assert number > 60  # the faults have passed through several saves
            return
    pytest.fail("the faults never came to an end")


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_tenth_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, lasting: bool
) -> None:
    check_faults(tmp_path, monkeypatch, fault, 10, lasting)


@pytest.mark.soak
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_call_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, lasting: bool) -> None:
    check_faults(tmp_path, monkeypatch, fault, 1, lasting)


def test_a_failing_read_passes_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        checkpoints.save(tmp_path, example(step))
    for number in range(1, 6):  # open, then length, header, two tensors
        with monkeypatch.context() as patch:
            patch.setattr(files, "system", FaultyFiles("EIO", number))
            loaded = checkpoints.load_latest(tmp_path)
        assert loaded.checkpoint.step == 1
        assert "step-00000002.safetensors: cannot be read: input/output error" in str(loaded.warning)


def _save_until_killed(folder: RunFolder, pipe: int) -> None:
    """In the child: goes on from the last checkpoint and tells each step that is safe."""
    with folder.lock():
        path = checkpoints.latest(folder.path)
        step = checkpoints.load(path).step if path else 0
        while True:
            step += 1
            kind: Any = "best" if step % 3 == 0 else "last"
            checkpoints.save(folder.path, example(step, 50_000), keep_last=2, kind=kind)
            os.write(pipe, struct.pack("<q", step))


def check_kills(parent: Path, count: int) -> None:
    folder = RunFolder.create(parent, "run")
    random = np.random.default_rng(2)
    safe = left = 0
    for _ in range(count):
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _save_until_killed(folder, send)
            finally:
                os._exit(1)
        os.close(send)
        steps = [os.read(receive, 8)]
        time.sleep(random.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        while data := os.read(receive, 8):
            steps.append(data)
        os.close(receive)
        safe = struct.unpack("<q", steps[-1])[0]
        left += any(path.suffix == ".tmp" for path in folder.checkpoints_path.iterdir())
        loaded = checkpoints.load_latest(folder.path)
        assert loaded.warning is None
        assert_whole(loaded.checkpoint)
        assert loaded.checkpoint.step in (safe, safe + 1)
        if safe >= 3:
            best = checkpoints.load(checkpoints.best_path(folder.path))
            assert_whole(best)
            assert best.step in (safe - safe % 3, safe + 1)
    assert left  # some kills fell into a write
    with folder.lock():
        assert not any(path.suffix == ".tmp" for path in folder.checkpoints_path.iterdir())


def test_kills(tmp_path: Path) -> None:
    check_kills(tmp_path, 10)


@pytest.mark.soak
def test_kills_at_length(tmp_path: Path) -> None:
    check_kills(tmp_path, 300)
