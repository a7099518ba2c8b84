"""The real window and real trainer processes, without a screen; nothing that a test starts may outlive it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"
pytest.importorskip("PySide6", reason="needs PySide6: pip install -e '.[app]'")

from PySide6 import QtCore, QtWidgets

from ravine.gui.application import application
from ravine.gui.state.app import App
from ravine.gui.widgets.main_window import MainWindow
from ravine.runs import RunFolder, RunWriter


def open_files() -> set[str]:
    """What this process has open, without what comes and goes by itself."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except OSError:
            continue
    passing = ("/dev", "/proc", "/sys", "/usr/share/mime")
    return {name for name in found if name.startswith("/") and not name.startswith(passing)}


def children() -> set[int]:
    """Processes that this one has started and that are there, ended ones that nobody waited for too."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails where a test leaves a process, a thread or an open file behind."""
    files, processes = open_files(), children()
    threads = set(threading.enumerate())
    yield
    gc.collect()
    left = children() - processes
    for number in left:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    assert not left, f"processes left: {left}"
    assert {thread for thread in threading.enumerate() if thread.name.startswith("ravine")} <= threads
    fresh = {name for name in open_files() - files if not name.endswith((".ttf", ".so", ".py"))}
    assert not fresh, f"open files left: {fresh}"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preferences of a user of this test alone, who has a folder for runs."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.chdir(tmp_path)


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a run folder without a trainer: columns by name, each [steps]."""

    def make(columns: dict[str, Any], name: str = "run", epochs: float = 10.0, **meta: Any) -> Path:
        folder = RunFolder.create(tmp_path / "runs", name)
        with folder.lock(), folder.writer(list(columns)) as writer:
            _write_steps(writer, columns, epochs=epochs)
            writer.set_meta(epochs=epochs, data={"train": 100}, **meta)
            writer.set_state("finished")
        return folder.path

    return make


@pytest.fixture
def write_steps() -> Callable[..., None]:
    """Records steps first, first + 1, ... with a hundredth of a second each."""
    return _write_steps


def _write_steps(writer: RunWriter, columns: dict[str, Any], first: int = 1, epochs: float = 10.0) -> None:
    values = np.array(list(columns.values()), np.float32).T
    steps = np.arange(first, first + len(values))
    writer.record_steps(steps, steps * (epochs / max(1, len(values))), steps * 0.01, values)


@pytest.fixture(scope="session")
def qapp() -> QtWidgets.QApplication:
    """The application, as the command makes it."""
    return application()


@pytest.fixture
def make_window(qtbot: Any, tmp_path: Path) -> Iterator[Callable[..., MainWindow]]:
    """Opens windows on preferences of the test's own; closes them, and kills their trainers, at the end."""
    made = []

    def make(*, epochs: int = 1_000_000) -> MainWindow:
        app = App(tmp_path / "config" / "app.json", tmp_path / "runs")
        if not app.preferences.draft:
            app.draft.set(("training", "epochs"), epochs)
        window = MainWindow(app)
        window.set_theme()
        window.show()
        made.append(window)
        qtbot.waitUntil(lambda: not app.checking, timeout=20_000)
        return window

    yield make
    for window in made:
        trainers = window.app.trainers
        for run in trainers.running:
            os.kill(trainers.pid(run), signal.SIGKILL)
            os.waitid(os.P_PID, trainers.pid(run), os.WEXITED | os.WNOWAIT)
        trainers.ended()
        window.finish()
        window.close()
        window.deleteLater()
    QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)


@pytest.fixture
def app_alone(qapp: QtWidgets.QApplication, tmp_path: Path) -> Iterator[App]:
    """The state without a window."""
    app = App(tmp_path / "config" / "app.json", tmp_path / "runs")
    yield app
    app.close()


@pytest.fixture
def window(make_window: Callable[..., MainWindow]) -> MainWindow:
    """A window, and an experiment that goes on for as long as any test does."""
    return make_window()
