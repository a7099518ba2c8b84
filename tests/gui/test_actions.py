"""Every action of an empty window does something, or is disabled and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PySide6 import QtGui, QtWidgets

from ravine.gui.state.mpi import why_no_ranks
from ravine.gui.widgets.tabs import TABS, CompareTab, LayersTab

TIMEOUT = 20_000


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What dialogs ask for, and all are cancelled."""
    found: list[str] = []

    def answers(name: str, answer: Any) -> Callable[..., Any]:
        def ask(*words: Any, **_: Any) -> Any:
            found.append(f"{name}: {words[1]}")
            return answer

        return ask

    for name, answer in (
        ("getOpenFileName", ("", "")),
        ("getSaveFileName", ("", "")),
        ("getExistingDirectory", ""),
    ):
        monkeypatch.setattr(QtWidgets.QFileDialog, name, answers(name, answer))
    for name, answer in (("getItem", ("", False)), ("getInt", (0, False))):
        monkeypatch.setattr(QtWidgets.QInputDialog, name, answers(name, answer))
    return found


def state(window: Any, asked: list[str]) -> tuple[Any, ...]:
    """All that an action may change, as far as its user sees it."""
    dialogs = [one for one in window.findChildren(QtWidgets.QDialog) if one.isVisible()]
    return (
        len(asked), len(dialogs), window.isVisible(), window.tabs.currentIndex(), window.focusWidget(),
        window.panel.tabs.currentIndex(), window.runs_dock.isVisible(), window.experiment_dock.isVisible(),
        QtGui.QGuiApplication.clipboard().text(), window.app.preferences.theme, window.app.draft.text,
        window.app.trainers.running,
    )  # fmt: skip


NAMES = [
    "open", "shipped", "open run", "save", "export", "runs folder", "quit", "undo", "redo", "copy command",
    "copy python", "copy mpirun", "show all", "theme system", "theme light", "theme dark", "start", "pause",
    "step", "stop", "resume", "restore", "longer", "checkpoint", "edit", "take over", "open data",
    "open pictures", "find run", "runs", "experiment", "toml", "palette", "shortcuts",
    *(f"tab {tab.TITLE}" for tab in TABS),
]  # fmt: skip
DISABLED = {
    "export", "undo", "redo", "show all", "pause", "step", "stop", "resume", "restore", "longer",
    "checkpoint", "edit", "take over",
}  # fmt: skip


def test_these_are_all(window):
    assert sorted(window.actions_by_name) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_action_of_an_empty_window(qtbot, window, asked, name):
    window.app.preferences.theme = "light" if name != "theme light" else "dark"
    window.app.draft._past.clear()  # what the fixture has edited
    window.enable_actions()
    action = window.actions_by_name[name]
    assert action.isVisible() == (name != "tab Ranks")  # there are none
    if not action.isVisible():
        return
    assert action.isEnabled() == (name not in DISABLED)
    if not action.isEnabled():
        tip = action.toolTip()
        assert "): " in tip, tip
        assert len(tip.partition("): ")[2]) > 8
        return
    if name == "tab Live":
        window.tabs.setCurrentIndex(3)
    if name == "theme light":
        window.set_theme()
    before = state(window, asked)
    action.trigger()
    if name == "copy mpirun":  # asks mpirun, beside the window
        missing = why_no_ranks()
        qtbot.waitUntil(lambda: state(window, asked) != before or bool(window.app.notices), timeout=TIMEOUT)
        assert [notice.text for notice in window.app.notices] == ([missing] if missing else [])
        return
    assert state(window, asked) != before
    assert window.app.notices == []


def test_what_is_wrong_with_the_experiment_is_why_it_cannot_be_started(qtbot, window):
    window.app.draft.set(("optimizer", "learning_rate"), -1)
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    for name in ("start", "copy command", "copy python", "copy mpirun"):
        action = window.actions_by_name[name]
        assert not action.isEnabled()
        assert "optimizer.learning_rate" in action.toolTip()
    window.app.draft.undo()
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    assert window.actions_by_name["start"].toolTip() == "Train the experiment on the right (Ctrl+Return)"


def test_the_newest_runs_can_be_compared_once_there_are_some(qtbot, window, make_run):
    tab = next(page for page in window.pages if isinstance(page, CompareTab))
    qtbot.waitUntil(lambda: window.app.listed, timeout=TIMEOUT)
    assert not tab.choose.isEnabled()
    assert "no runs yet" in tab.choose.toolTip()
    make_run({"loss": np.ones(5)})
    window.app.refresh_runs()
    qtbot.waitUntil(tab.choose.isEnabled, timeout=TIMEOUT)
    tab.choose.click()
    assert len(window.app.compared) == 1


def buttons(page: QtWidgets.QWidget) -> Iterator[QtWidgets.QAbstractButton]:
    for button in page.findChildren(QtWidgets.QAbstractButton):
        if button.isVisible() and button.isEnabled() and not button.objectName().startswith("qt_"):
            yield button


@pytest.mark.parametrize("number", range(len(TABS)))
def test_no_button_of_an_empty_window_fails(qtbot, window, asked, number):
    """Each is pressed once; what it cannot do is said in the problems bar, and nothing is raised."""
    window.tabs.setCurrentIndex(number)
    page = window._stacks[number].currentWidget()
    QtWidgets.QApplication.processEvents()
    for button in list(buttons(page)):
        if isinstance(button, QtWidgets.QToolButton) and button.menu() is not None:
            continue
        if button is window.cards.train:
            continue  # that is tested elsewhere
        button.click()
        qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
        window.tabs.setCurrentIndex(number)


def test_layers_say_what_they_need(window):
    window.tabs.setCurrentIndex(next(n for n, tab in enumerate(TABS) if tab is LayersTab))
    assert window.cards.isVisible()
    assert not window.actions_by_name["export"].isEnabled()


def test_copy_and_paste_stay_with_texts(window):
    for one in QtGui.QKeySequence.StandardKey.Copy, QtGui.QKeySequence.StandardKey.Paste:
        for keys in QtGui.QKeySequence.keyBindings(one):
            taken = [name for name, action in window.actions_by_name.items() if action.shortcut() == keys]
            assert not taken, taken
