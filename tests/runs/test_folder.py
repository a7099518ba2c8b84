"""The run folder: names, the lock, the list of runs, and files that are whole or absent."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ravine.errors import InputError, RunError
from ravine.runs import RunFolder, files, list_runs


def make_run(parent: Path, name: str, state: str = "finished", steps: int = 3) -> RunFolder:
    folder = RunFolder.create(parent, name)
    folder.write_experiment(f"name = '{name}'\n")
    with folder.lock(), folder.writer(["loss"]) as writer:
        writer.set_meta(epochs=5)
        numbers = np.arange(1, steps + 1)
        writer.record_steps(numbers, numbers / 2, numbers / 4, np.ones((steps, 1), np.float32))
        writer.record_evaluation(steps, steps / 2, "validation", {"loss": 0.5, "accuracy": 0.9})
        writer.set_state(state)  # type: ignore[arg-type]
    return folder


def test_names_are_never_taken_twice(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(RunFolder.create(tmp_path / "runs", "digits").name))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["digits", *(f"digits-{number}" for number in range(2, 9))]
    assert (tmp_path / "runs" / "digits-8" / "checkpoints").is_dir()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", ".hidden", "a\0b", "a\nb", "x" * 201])
def test_bad_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a run"):
        RunFolder.create(tmp_path, name)


def test_open(tmp_path: Path) -> None:
    made = make_run(tmp_path, "digits")
    assert RunFolder.open(made.path).read_experiment() == "name = 'digits'\n"
    with pytest.raises(RunError, match="did you mean 'digits'"):
        RunFolder.open(tmp_path / "digit")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match="is not a run folder"):
        RunFolder.open(tmp_path / "other")


def test_a_failed_write_leaves_the_old_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, "run")

    class Full(files.FileSystem):
        def synchronize(self, descriptor: int) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "system", Full())
    with pytest.raises(RunError, match=r"experiment.toml: cannot be written: no space left on device; free"):
        folder.write_experiment("other")
    assert folder.read_experiment() == "name = 'run'\n"
    assert not list(folder.path.glob(".*"))


def test_lock_names_its_holder(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    assert folder.holder() is None
    with folder.lock():
        holder = folder.holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        pattern = rf"run: is in use by process {os.getpid()} \(.+\) since 20.*; stop it first, or choose"
        with pytest.raises(RunError, match=pattern), folder.lock():
            pass
        assert folder.holder() is not None  # the refused one has not taken it away
    assert folder.holder() is None
    with folder.lock():
        pass


def _child_holding(folder: RunFolder) -> int:
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        with folder.lock():
            os.write(send, b"x")
            signal.pause()
        os._exit(1)
    os.close(send)
    assert os.read(receive, 1) == b"x"
    os.close(receive)
    return child


def test_lock_of_another_process_ends_with_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    child = _child_holding(folder)
    with pytest.raises(RunError, match=f"in use by process {child} "), folder.lock():
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with folder.lock():
        pass


def test_what_a_killed_trainer_forked_does_not_keep_the_lock(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        with folder.lock():
            if os.fork() == 0:
                os.write(send, struct.pack("<i", os.getpid()))
            signal.pause()
        os._exit(1)
    (grandchild,) = struct.unpack("<i", os.read(receive, 4))
    os.close(receive)
    os.close(send)
    try:
        assert str(child) in str(folder.holder())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.kill(grandchild, 0)  # is alive
        with folder.lock():
            pass
    finally:
        os.kill(grandchild, signal.SIGKILL)


def test_lock_clears_away_temporary_files(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    stale = [folder.path / ".experiment.toml.123.tmp", folder.checkpoints_path / ".best.safetensors.9.tmp"]
    kept = [folder.path / "notes.tmp", folder.checkpoints_path / ".keep"]
    for path in stale + kept:
        path.write_text("x")
    with folder.lock():
        assert not any(path.exists() for path in stale)
        assert all(path.exists() for path in kept)


def test_list_tells_states(tmp_path: Path) -> None:
    make_run(tmp_path, "finished")
    make_run(tmp_path, "stopped", "stopped")
    make_run(tmp_path, "crashed", "running")
    alive = make_run(tmp_path, "alive", "running")
    starting = RunFolder.create(tmp_path, "starting")
    with alive.lock(), starting.lock():
        runs = {run.name: run for run in list_runs(tmp_path)}
    assert {name: run.state for name, run in runs.items()} == {
        "finished": "finished",
        "stopped": "stopped",
        "crashed": "crashed",
        "alive": "running",
        "starting": "running",
    }
    run = runs["finished"]
    assert (run.step, run.epoch, run.epochs, run.duration) == (3, 1.5, 5.0, 0.75)
    assert run.metrics == {"validation.loss": 0.5, "validation.accuracy": 0.9}
    assert run.started is not None
    assert time.time() - 60 < run.started <= time.time()
    assert list_runs(tmp_path / "absent") == []


def test_damaged_runs_are_listed_with_their_reason(tmp_path: Path) -> None:
    for name in ("empty", "noise", "cut", "folder", "gone", "link", "ok"):
        make_run(tmp_path, name)
    database = {path.name: path / "run.db" for path in tmp_path.iterdir()}
    database["empty"].write_bytes(b"")
    database["noise"].write_bytes(np.random.default_rng(0).bytes(10_000))
    database["cut"].write_bytes(database["cut"].read_bytes()[:5000])
    for name in ("folder", "gone", "link"):
        database[name].unlink()
    database["folder"].mkdir()
    database["link"].symlink_to("run.db")
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "file").write_text("x")
    runs = {run.name: run for run in list_runs(tmp_path)}
    assert runs.keys() == database.keys()
    for name, run in runs.items():
        assert run.state == ("finished" if name == "ok" else "damaged")
        assert bool(run.reason) == (name != "ok")


def test_looking_leaves_no_traces(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run")
    before = sorted(path.name for path in folder.path.iterdir())
    list_runs(tmp_path)
    assert sorted(path.name for path in folder.path.iterdir()) == before


def test_a_thousand_runs_are_listed(tmp_path: Path) -> None:
    first = make_run(tmp_path, "run")
    for number in range(999):
        copy = tmp_path / f"copy-{number}"
        copy.mkdir()
        shutil.copy(first.database_path, copy)
        shutil.copy(first.lock_path, copy)
    assert sum(run.state == "finished" for run in list_runs(tmp_path)) == 1000
