"""A whole session by keyboard alone, and what is said to who cannot see the window."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.experiment import load_experiment
from ravine.gui.plots.surface import Surface
from ravine.gui.widgets.nested import ComponentEditor
from ravine.gui.widgets.tabs import TABS
from ravine.gui.widgets.trouble import RestoreDialog
from ravine.runs import RunFolder
from ravine.training.session import train_experiment

TIMEOUT = 20_000
Keys = QtCore.Qt.Key


class Keyboard:
    """Presses keys, as they come from the system: to what has the focus."""

    def __init__(self, qtbot: Any, window: QtWidgets.QWidget) -> None:
        self.qtbot, self.window = qtbot, window

    def press(self, *sequences: str) -> None:
        for sequence in sequences:
            one = QtGui.QKeySequence(sequence)[0]
            focused = QtWidgets.QApplication.focusWidget() or self.window
            self.qtbot.keyClick(focused, one.key(), one.keyboardModifiers())

    def type(self, text: str) -> None:
        self.qtbot.keyClicks(QtWidgets.QApplication.focusWidget(), text)

    def tab_to(self, name: str) -> None:
        """Presses Tab until something of that accessible name has the focus."""
        for _ in range(300):
            focused = QtWidgets.QApplication.focusWidget()
            if focused is not None and focused.accessibleName() == name:
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not come to {name}")


@pytest.fixture
def keyboard(qtbot, window):
    """Of the window, which has the focus."""
    window.activateWindow()
    qtbot.waitUntil(lambda: QtWidgets.QApplication.activeWindow() is window, timeout=TIMEOUT)
    return Keyboard(qtbot, window)


def wait_state(qtbot, window, *states):
    qtbot.waitUntil(
        lambda: window.app.status is not None and window.app.status.state in states, timeout=TIMEOUT
    )


def test_a_whole_session_by_keyboard_alone(qtbot, window, keyboard, tmp_path, monkeypatch):
    """Keys alone, but for the dialogs of files, which are Qt's own or the system's."""
    app = window.app
    source = tmp_path / "mine.toml"
    source.write_text(f"# kept\n{app.draft.text}".replace('name = "digits"', 'name = "keys"'))
    # Open.
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (str(source), ""))
    keyboard.press("Ctrl+O")
    assert app.draft.get(("name",)) == "keys"
    qtbot.waitUntil(lambda: not app.checking, timeout=TIMEOUT)
    # Change the learning rate.
    keyboard.tab_to("optimizer.learning_rate")
    keyboard.press("Ctrl+A")
    keyboard.type("0.05")
    assert app.draft.get(("optimizer", "learning_rate")) == 0.05
    assert app.draft.text.startswith("# kept\n")
    qtbot.waitUntil(lambda: not app.checking, timeout=TIMEOUT)
    # Start, pause, step, stop.
    keyboard.press("Ctrl+Return")
    wait_state(qtbot, window, "running")
    first = app.current
    qtbot.waitUntil(lambda: app.status.step > 50, timeout=TIMEOUT)
    keyboard.press("Ctrl+P")
    wait_state(qtbot, window, "paused")
    step = app.status.step
    keyboard.press("Ctrl+T")
    qtbot.waitUntil(lambda: app.status.step == step + 1, timeout=TIMEOUT)
    assert app.status.learning_rate == pytest.approx(0.05)
    keyboard.press("Ctrl+.")
    wait_state(qtbot, window, "stopped")
    # Another run, with another rate.
    keyboard.tab_to("optimizer.learning_rate")
    keyboard.press("Ctrl+A")
    keyboard.type("0.01")
    qtbot.waitUntil(lambda: not app.checking, timeout=TIMEOUT)
    keyboard.press("Ctrl+Return")
    qtbot.waitUntil(lambda: app.current != first, timeout=TIMEOUT)
    wait_state(qtbot, window, "running")
    qtbot.waitUntil(lambda: app.status.step > 50, timeout=TIMEOUT)
    keyboard.press("Ctrl+.")
    wait_state(qtbot, window, "stopped")
    qtbot.waitUntil(lambda: len(app.runs) == 2, timeout=TIMEOUT)
    # Compare: ticks in the list of runs.
    keyboard.press("Ctrl+3", "Ctrl+F")
    keyboard.tab_to("Runs")
    keyboard.press("Ctrl+Home", "Space", "Down", "Space")
    assert sorted(run.name for run in app.compared) == ["keys", "keys-2"]
    tab = window.page
    qtbot.waitUntil(
        lambda: tab.plot.picture is not None and len(tab.plot.picture.curves) == 2, timeout=TIMEOUT
    )
    # Export all points.
    wanted = tmp_path / "points.csv"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (str(wanted), ""))
    keyboard.press("Ctrl+Shift+S")
    qtbot.waitUntil(wanted.exists, timeout=TIMEOUT)
    rows = csv.DictReader(wanted.read_text().splitlines())
    assert {row["run"] for row in rows} == {"keys", "keys-2"}
    assert app.notices == []


USED = (
    QtWidgets.QLineEdit, QtWidgets.QComboBox, QtWidgets.QAbstractButton, QtWidgets.QAbstractItemView,
    QtWidgets.QAbstractSpinBox, QtWidgets.QPlainTextEdit, QtWidgets.QProgressBar, QtWidgets.QGraphicsView,
)  # fmt: skip


def used(parent: QtWidgets.QWidget) -> list[QtWidgets.QWidget]:
    """What can be used, without the parts that Qt itself makes of it."""
    whole = (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit, QtWidgets.QTabBar,
             QtWidgets.QMenuBar, QtWidgets.QDockWidget, QtWidgets.QAbstractItemView)  # fmt: skip
    found = []
    for widget in parent.findChildren(QtWidgets.QWidget):
        around = widget.parentWidget()
        if not isinstance(widget, USED) or widget.objectName().startswith("qt_"):
            continue
        if isinstance(widget, QtWidgets.QHeaderView) or isinstance(around, whole):
            continue
        if around.objectName().startswith("qt_") or isinstance(around.parentWidget(), QtWidgets.QComboBox):
            continue
        found.append(widget)
    return found


def name_of(widget: QtWidgets.QWidget) -> str:
    """What is said of a widget: its accessible name, or the text that stands on it."""
    text = widget.text() if isinstance(widget, QtWidgets.QAbstractButton) else ""
    return widget.accessibleName() or (text if len(text) > 1 else "")


def open_all(window: Any) -> None:
    """Opens all sections of the form, and all that is folded in them."""
    window.app.draft.set(("data", "source"), "table")
    window.app.draft.set(("data", "augmentation"), [{"type": "rotation"}])
    window.app.draft.set(("data", "table"), {"missing": {"age": "mean"}})
    window.app.draft.set(("groups",), [{"match": "*"}])
    window.app.draft.set(("schedules",), {"learning_rate": {"type": "cosine"}})
    layers = [{"type": "residual", "body": ["relu"]}, {"type": "columns", "columns": [["relu"], ["relu"]]}]
    window.app.draft.set(("model", "layers"), layers)
    for section in window.panel.sections:
        section.head.setChecked(True)
        for part in section.parts:
            part.head.setChecked(True)
        opened = -1
        while opened != (opened := len(list(section.all_editors()))):
            for editor in list(section.all_editors()):
                if isinstance(editor, ComponentEditor):
                    editor.open()


def test_all_that_can_be_used_has_a_name(window):
    open_all(window)
    widgets = used(window)
    assert len(widgets) > 200
    nameless = [widget for widget in widgets if not name_of(widget)]
    assert not nameless, [(widget, widget.parentWidget()) for widget in nameless]


def test_names_in_the_form_tell_editors_apart(window):
    open_all(window)
    names = [name_of(widget) for widget in used(window.panel.scroll_area) if widget.accessibleName()]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_dialogs_have_names(qtbot, window, tmp_path):
    run = train_experiment(load_experiment("digits", ["training.epochs=1"]), parent=tmp_path / "runs").path
    window.app.open_run(run)
    wait_state(qtbot, window, "finished")
    window.commands.show_palette()
    window.commands.restore()
    dialogs = [one for one in window.findChildren(QtWidgets.QDialog) if one.isVisible()]
    assert len(dialogs) == 2
    for dialog in dialogs:
        assert dialog.windowTitle()
        assert [one for one in used(dialog) if not name_of(one)] == []
        if isinstance(dialog, RestoreDialog):
            qtbot.waitUntil(dialog.go.isEnabled, timeout=TIMEOUT)
        dialog.close()


@pytest.mark.parametrize("number", range(len(TABS)), ids=lambda number: TABS[number].TITLE)
def test_tab_comes_to_all_that_can_be_used(qtbot, window, keyboard, tmp_path, number):
    overrides = ["training.epochs=2", "statistics.level=full", "statistics.full_every=10",
                 "data.split.validation_fraction=0.2"]  # fmt: skip
    run = train_experiment(load_experiment("digits", overrides), parent=tmp_path / "runs").path
    if TABS[number].TITLE == "Ranks":  # there for runs of several ranks only
        folder, seconds = RunFolder.open(run), np.full((50, 2, 4), 1e-3, np.float32)
        with folder.lock(), folder.writer() as writer:
            writer.set_meta(hosts=["anna", "bert"])
            writer.record_rank_times(np.arange(1, 51), seconds)
    window.app.open_run(run)
    window.app.compare([run])
    qtbot.waitUntil(lambda: window.tabs.isTabVisible(number), timeout=TIMEOUT)
    window.tabs.setCurrentIndex(number)
    wait_state(qtbot, window, "finished")
    plots = window.page.surfaces()

    def told() -> bool:
        return all(any(map(str.isdigit, plot.summary())) for plot in plots if plot.isVisible())

    qtbot.waitUntil(told, timeout=TIMEOUT)
    seen: list[QtWidgets.QWidget] = []
    for _ in range(600):
        keyboard.press("Tab")
        focused = QtWidgets.QApplication.focusWidget()
        if seen and focused is seen[0]:
            break
        seen.append(focused)
    else:
        raise AssertionError("Tab does not come around")
    wanted = [
        widget
        for widget in used(window)
        if widget.isVisible()
        and widget.isEnabled()
        and not isinstance(widget, (QtWidgets.QProgressBar, QtWidgets.QScrollBar))
        and widget.visibleRegion().boundingRect().isValid()
    ]
    missed = [name_of(widget) for widget in wanted if widget not in seen]
    assert missed == []
    for plot in plots:
        if plot.isVisible():
            assert plot.graphics.accessibleName()
            assert plot.graphics.accessibleDescription() == plot.summary()


def test_a_plot_without_data_says_so(window):
    for page in window.pages:
        for surface in page.all_surfaces():
            assert isinstance(surface, Surface)
            assert "nothing" in surface.summary(), surface.name
            assert "nothing" in surface.graphics.accessibleDescription(), surface.name


def test_the_keys_of_a_plot_are_the_cursor_and_the_zoom(qtbot, window, tmp_path):
    run = train_experiment(load_experiment("digits", ["training.epochs=2"]), parent=tmp_path / "runs").path
    window.app.open_run(Path(run))
    plot = window.page.surfaces()[0]
    qtbot.waitUntil(lambda: plot.picture is not None and bool(plot.picture.curves), timeout=TIMEOUT)
    assert plot.cursor_line.isVisible() is False
    qtbot.keyClick(plot.graphics, Keys.Key_Right)
    assert plot.cursor_line.isVisible()
    before = plot.cursor_line.value()
    qtbot.keyClick(plot.graphics, Keys.Key_Right)
    assert plot.cursor_line.value() > before
    qtbot.keyClick(plot.graphics, Keys.Key_Plus)
    assert plot.limits is not None
    qtbot.keyClick(plot.graphics, Keys.Key_0)
    assert plot.limits is None
