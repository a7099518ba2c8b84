"""Real trainer processes, steered through their run folders, and what is read of them meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtCore

from ravine.errors import RunError
from ravine.gui.state.draft import starter
from ravine.gui.state.feed import Feed
from ravine.gui.state.run_list import RunListing, metric_text
from ravine.gui.state.tail import RunTail
from ravine.gui.state.trainers import Trainers, as_python, free_run, resume_launch, train_launch
from ravine.gui.state.worker import Failure, Worker
from ravine.runs import RunReader, send_command


@dataclass(frozen=True)
class Seen:
    """A query: how many steps, which state."""

    run: Path

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def answer(self, tails: dict[Path, RunTail]) -> Any:
        tail = tails[self.run]
        return len(tail), tail.state.state if tail.state else "", [one.status for one in tail.commands]


@pytest.fixture
def trainers():
    started = Trainers()
    yield started
    for run in started.running:
        process = started._processes[run].popen
        process.kill()
        process.wait()
    started.ended()


@pytest.fixture
def experiment(tmp_path) -> Path:
    """Long enough that no test comes to its end by waiting."""
    path = tmp_path / "long.toml"
    path.write_text(starter().replace("epochs = 500", "epochs = 1000000"))
    return path


@pytest.fixture
def feed(qtbot):
    made = Feed()
    yield made
    made.close()


class Watcher:
    """Asks the feed 20 times a second, as the window does."""

    def __init__(self, qtbot, feed, run):
        self.qtbot, self.feed, self.run = qtbot, feed, run

    def until(self, condition) -> Any:
        timer = QtCore.QTimer(interval=50)
        timer.timeout.connect(lambda: self.feed.ask({"seen": Seen(self.run)}))
        timer.start()
        with self.qtbot.waitSignal(
            self.feed.answered, timeout=20_000, check_params_cb=lambda found: condition(*found["seen"])
        ) as caught:
            pass
        timer.stop()
        return caught.args[0]["seen"]


def end(qtbot, trainers) -> list:
    found = []
    qtbot.waitUntil(lambda: bool(found.extend(trainers.ended()) or found), timeout=20_000)
    return found


def test_a_run_is_started_paused_stepped_edited_and_stopped(qtbot, trainers, experiment, feed, tmp_path):
    run = free_run(tmp_path / "runs", "mine")
    trainers.start(train_launch(experiment, run))
    assert run in trainers
    watcher = Watcher(qtbot, feed, run)
    watcher.until(lambda steps, state, commands: steps > 0 and state == "running")
    send_command(run, "pause")
    steps, *_ = watcher.until(lambda steps, state, commands: state == "paused")
    send_command(run, "step", count=3)
    watcher.until(lambda now, state, commands: now == steps + 3)
    send_command(run, "set", name="learning_rate", value=0.01)
    send_command(run, "step", count=1)
    watcher.until(lambda now, state, commands: now == steps + 4)
    with RunReader(run) as reader:
        assert reader.series("learning_rate")[1][-2:].tolist() == pytest.approx([0.1, 0.01])
    send_command(run, "resume")
    send_command(run, "stop")
    watcher.until(lambda now, state, commands: state == "stopped" and commands[-1] == "done")
    (ended,) = end(qtbot, trainers)
    assert (ended.run, ended.code, ended.reason) == (run, 130, "")
    trainers.start(resume_launch(run))
    watcher.until(lambda now, state, commands: state == "running" and now > steps + 4)
    trainers.terminate(run)
    assert end(qtbot, trainers)[0].code == 130


def test_a_killed_trainer_has_a_reason(qtbot, trainers, experiment, feed, tmp_path):
    run = free_run(tmp_path / "runs", "mine")
    trainers.start(train_launch(experiment, run))
    watcher = Watcher(qtbot, feed, run)
    watcher.until(lambda steps, state, commands: steps > 0)
    with pytest.raises(RunError, match="is in use by process"):
        trainers.start(resume_launch(run))
    os.kill(trainers.pid(run), signal.SIGKILL)
    (ended,) = end(qtbot, trainers)
    assert ended.code == -9
    assert "SIGKILL" in ended.reason
    watcher.until(lambda steps, state, commands: state == "crashed")


def test_a_trainer_that_refuses_says_why(qtbot, trainers, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text(starter().replace("learning_rate = 0.1", "learning_rate = -1"))
    trainers.start(train_launch(bad, free_run(tmp_path / "runs", "bad")))
    (ended,) = end(qtbot, trainers)
    assert ended.code == 2
    assert "optimizer.learning_rate: must be at least 0" in ended.reason


def test_released_trainers_go_on(qtbot, trainers, experiment, feed, tmp_path):
    run = free_run(tmp_path / "runs", "mine")
    trainers.start(train_launch(experiment, run))
    pid = trainers.pid(run)
    watcher = Watcher(qtbot, feed, run)
    steps, *_ = watcher.until(lambda steps, state, commands: steps > 0)
    trainers.release()
    assert trainers.running == []
    watcher.until(lambda now, state, commands: now > steps)
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


STARTS = """
import sys, time
from pathlib import Path
from ravine.gui.state.trainers import Trainers, train_launch
trainers = Trainers()
run = Path(sys.argv[2])
trainers.start(train_launch(Path(sys.argv[1]), run))
print(trainers.pid(run), flush=True)
time.sleep(1000)
"""


def test_a_trainer_outlives_the_app_that_is_killed(qtbot, experiment, feed, tmp_path):
    run = free_run(tmp_path / "runs", "mine")
    words = [sys.executable, "-c", STARTS, str(experiment), str(run)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as app:
        trainer = int(app.stdout.readline())
        watcher = Watcher(qtbot, feed, run)
        steps, *_ = watcher.until(lambda steps, state, commands: steps > 0)
        app.kill()
    watcher.until(lambda now, state, commands: now > steps and state == "running")
    send_command(run, "stop")
    watcher.until(lambda now, state, commands: state == "stopped")
    qtbot.waitUntil(lambda: not Path(f"/proc/{trainer}").exists() or _is_zombie(trainer), timeout=20_000)


def _is_zombie(number: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return True


def test_the_command_is_what_a_terminal_would_use(tmp_path):
    launch = train_launch(tmp_path / "my file.toml", tmp_path / "runs" / "a")
    assert launch.text == f"ravine train '{tmp_path}/my file.toml' --runs {tmp_path}/runs --name a"
    assert launch.command[:3] == [sys.executable, "-m", "ravine"]
    many = train_launch(tmp_path / "a.toml", tmp_path / "runs" / "a", ranks=4)
    assert many.command[1:6] == ["-m", "ravine", "launch", "-n", "4"]
    assert many.text.startswith("ravine launch -n 4 train")
    compile(as_python(tmp_path / "a.toml", tmp_path / "runs" / "a", ["seed=1"]), "script", "exec")


def test_names_that_are_taken_get_numbers(tmp_path):
    assert free_run(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert free_run(tmp_path, "a") == tmp_path / "a-3"


def test_the_list_of_runs(make_run, tmp_path):
    make_run({"loss": [1.0, 2.0]}, "one")
    make_run({"loss": [1.0]}, "two")
    listing = RunListing(tmp_path / "runs")
    assert [(run.name, run.state, run.step) for run in listing.refresh()] == [
        ("two", "finished", 1), ("one", "finished", 2),
    ]  # fmt: skip
    assert metric_text(listing.refresh()[0]) == ""
    (tmp_path / "runs" / "one" / "run.db").write_bytes(b"nonsense" * 500)
    assert {run.name: run.state for run in listing.refresh()} == {"one": "damaged", "two": "finished"}
    assert RunListing(tmp_path / "none").refresh() == []


def test_newer_work_takes_the_place_of_what_waits(qtbot):
    worker = Worker("test")
    done = []
    worker.done.connect(lambda key, result: done.append((key, result)))

    def fails() -> None:
        raise ZeroDivisionError("no")

    with qtbot.waitSignal(worker.done, check_params_cb=lambda key, result: key == "end"):
        import threading

        gate = threading.Event()
        worker.submit("first", gate.wait)
        for number in range(5):
            worker.submit("same", lambda number=number: number)
        worker.submit("broken", fails)
        worker.submit("end", lambda: None)
        gate.set()
    assert [key for key, _ in done] == ["first", "same", "broken", "end"]
    assert done[1][1] == 4
    assert isinstance(done[2][1], Failure)
    assert "ZeroDivisionError" in done[2][1].trace
    worker.close()
