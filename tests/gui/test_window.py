"""The real window with real trainer processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.widgets import main_window
from ravine.gui.widgets.tabs.live import LiveTab
from ravine.runs import RunReader

TIMEOUT = 20_000


def wait_state(qtbot, window, *states):
    qtbot.waitUntil(
        lambda: window.app.status is not None and window.app.status.state in states, timeout=TIMEOUT
    )


def live(window) -> LiveTab:
    page = window.pages[0]
    assert isinstance(page, LiveTab)
    return page


def drawn(window) -> int:
    picture = live(window).loss.picture
    return len(picture.curves[0].x) if picture is not None and picture.curves else 0


def press(qtbot, window, keys: str) -> None:
    """A shortcut, as the keyboard gives it."""
    action = next(
        one for one in window.actions_by_name.values() if one.shortcut() == QtGui.QKeySequence(keys)
    )
    assert action.isEnabled(), keys
    qtbot.keyClick(window, QtGui.QKeySequence(keys)[0].key(), QtGui.QKeySequence(keys)[0].keyboardModifiers())


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, QtCore.Qt.MouseButton.LeftButton)


def test_one_click_trains_and_curves_move(qtbot, window):
    assert window.cards.isVisible()
    click(qtbot, window.cards.train)
    wait_state(qtbot, window, "running")
    qtbot.waitUntil(lambda: drawn(window) > 10, timeout=TIMEOUT)
    step = window.app.status.step
    qtbot.waitUntil(lambda: window.app.status.step > step, timeout=TIMEOUT)
    tab = live(window)
    qtbot.waitUntil(lambda: all(plot.picture is not None for plot in (tab.metric_plot, tab.gradient.lines)))
    assert [curve.source.label for curve in tab.gradient.lines.picture.curves] == ["dense_1", "dense_2"]
    assert "train" in tab.loss.summary()


def test_a_run_is_paused_stepped_edited_stopped_and_resumed_by_keyboard(qtbot, window):
    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "running")
    press(qtbot, window, "Ctrl+P")
    wait_state(qtbot, window, "paused")
    step = window.app.status.step
    press(qtbot, window, "Ctrl+T")
    qtbot.waitUntil(lambda: window.app.status.step == step + 1, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+E")
    tab = live(window)
    qtbot.waitUntil(lambda: tab.edit_value.isVisible())
    tab.edit_name.setCurrentText("learning_rate")
    qtbot.keyClicks(tab.edit_value, "0.0125")
    qtbot.keyClick(tab.edit_value, QtCore.Qt.Key.Key_Return)
    press(qtbot, window, "Ctrl+T")
    qtbot.waitUntil(lambda: window.app.status.step == step + 2, timeout=TIMEOUT)
    assert window.app.status.learning_rate == pytest.approx(0.0125)
    qtbot.waitUntil(lambda: bool(tab.loss.picture.marks), timeout=TIMEOUT)
    assert tab.loss.picture.marks[0].text == "learning_rate = 0.0125"
    press(qtbot, window, "Ctrl+R")
    wait_state(qtbot, window, "running")
    press(qtbot, window, "Ctrl+.")
    wait_state(qtbot, window, "stopped")
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)
    assert window.app.notices == []
    stopped = window.app.status.step
    press(qtbot, window, "Ctrl+R")
    wait_state(qtbot, window, "running")
    qtbot.waitUntil(lambda: window.app.status.step > stopped, timeout=TIMEOUT)
    with RunReader(window.app.current) as reader:
        assert reader.series("learning_rate")[1][-1] == pytest.approx(0.0125)


def test_a_value_that_is_refused_is_a_problem(qtbot, window):
    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "running")
    tab = live(window)
    tab.edit_name.setCurrentText("learning_rate")
    tab.edit_value.setText("-3")
    tab.apply_edit()
    qtbot.waitUntil(lambda: bool(window.app.notices), timeout=TIMEOUT)
    assert "at least 0" in window.app.notices[0].text
    tab.edit_value.setText("fast")
    tab.apply_edit()
    assert "expected a number" in window.app.notices[0].text
    assert window.problems.isVisible()


def test_a_killed_trainer_is_explained_and_resumed(qtbot, window):
    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "running")
    qtbot.waitUntil(lambda: window.app.status.step > 0, timeout=TIMEOUT)
    run = window.app.current
    os.kill(window.app.trainers.pid(run), signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(window.app.notices), timeout=2000)
    notice = window.app.notices[0]
    assert "SIGKILL" in notice.text
    assert notice.resumable
    wait_state(qtbot, window, "crashed")
    button = next(
        one for one in window.problems.findChildren(QtWidgets.QToolButton) if one.text() == "Resume"
    )
    click(qtbot, button)
    wait_state(qtbot, window, "running")
    assert window.app.notices == []


def test_another_process_s_run_is_found_again(qtbot, make_window):
    first = make_window()
    press(qtbot, first, "Ctrl+Return")
    wait_state(qtbot, first, "running")
    run, pid = first.app.current, first.app.trainers.pid(first.app.current)
    first.app.trainers.release()  # as the death of the app does
    first.finish()
    second = make_window()
    qtbot.waitUntil(lambda: second.app.current == run, timeout=TIMEOUT)
    wait_state(qtbot, second, "running")
    press(qtbot, second, "Ctrl+.")
    wait_state(qtbot, second, "stopped")
    os.waitpid(pid, 0)


OPENS = """
import sys
from pathlib import Path

from ravine.gui.application import application
from ravine.gui.state.app import App
from ravine.gui.widgets.main_window import MainWindow

running = application()
app = App(Path(sys.argv[1]), Path(sys.argv[2]))
app.draft.set(("training", "epochs"), 1_000_000)
window = MainWindow(app)
window.show()
app.status_changed.connect(lambda: print("state", app.status.state if app.status else "", flush=True))


def start():
    if app.can_start and not app.trainers.running:
        window.commands.start()
        print("trainer", app.trainers.pid(app.current), flush=True)


app.checked.connect(start)
running.exec()
"""


def test_a_window_that_is_killed_leaves_its_run_which_is_found_again(qtbot, make_window, tmp_path):
    words = [sys.executable, "-c", OPENS, str(tmp_path / "killed.json"), str(tmp_path / "runs")]
    trainer = 0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as killed:
        for line in killed.stdout:
            if line.startswith("trainer"):
                trainer = int(line.split()[1])
            if line == "state running\n" and trainer:
                break
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    window = make_window()
    qtbot.waitUntil(lambda: window.app.current is not None, timeout=TIMEOUT)
    wait_state(qtbot, window, "running")
    step = window.app.status.step
    qtbot.waitUntil(lambda: window.app.status.step > step, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+.")
    wait_state(qtbot, window, "stopped")
    qtbot.waitUntil(lambda: has_ended(trainer), timeout=TIMEOUT)


def has_ended(process: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


def keys(qtbot, window, *names: str) -> None:
    """Keys and texts, to whatever has the focus."""
    for name in names:
        widget = window.focusWidget()
        key = getattr(QtCore.Qt.Key, f"Key_{name}", None)
        if key is not None:
            qtbot.keyClick(widget, key)
        else:
            qtbot.keyClicks(widget, name)


def test_a_whole_session_by_keyboard(qtbot, window, monkeypatch, tmp_path):
    def train_and_stop() -> None:
        press(qtbot, window, "Ctrl+Return")
        wait_state(qtbot, window, "running")
        qtbot.waitUntil(lambda: window.app.status.step > 0, timeout=TIMEOUT)
        press(qtbot, window, "Ctrl+.")
        wait_state(qtbot, window, "stopped")
        qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)

    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "running")
    press(qtbot, window, "Ctrl+P")
    wait_state(qtbot, window, "paused")
    step = window.app.status.step
    press(qtbot, window, "Ctrl+E")
    keys(qtbot, window, "0.025", "Return")
    press(qtbot, window, "Ctrl+T")
    qtbot.waitUntil(lambda: window.app.status.step == step + 1, timeout=TIMEOUT)
    assert window.app.status.learning_rate == pytest.approx(0.025)
    press(qtbot, window, "Ctrl+.")
    wait_state(qtbot, window, "stopped")
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+R")
    wait_state(qtbot, window, "running")
    qtbot.waitUntil(lambda: window.app.status.step > step + 1, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+.")
    wait_state(qtbot, window, "stopped")
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)
    train_and_stop()
    qtbot.waitUntil(lambda: len(window.app.runs) == 2, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+3")
    press(qtbot, window, "Ctrl+F")
    table = window.run_list.table
    for _ in range(4):
        if window.focusWidget() is not table:
            keys(qtbot, window, "Tab")
    assert window.focusWidget() is table
    keys(qtbot, window, "Home", "Space", "Down", "Space")
    assert len(window.app.compared) == 2
    page = window.page
    qtbot.waitUntil(
        lambda: page.plot.picture is not None and len(page.plot.picture.curves) == 2, timeout=TIMEOUT
    )
    path = tmp_path / "compared.csv"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    press(qtbot, window, "Ctrl+Shift+S")
    qtbot.waitUntil(lambda: path.exists() or bool(window.app.notices), timeout=TIMEOUT)
    assert window.app.notices == []


@pytest.mark.parametrize("choice", ["keep", "stop", "cancel"])
def test_closing_while_training(qtbot, window, monkeypatch, choice):
    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "running")
    run, pid = window.app.current, window.app.trainers.pid(window.app.current)
    monkeypatch.setattr(main_window, "ask_before_closing", lambda parent, names: choice)
    window.close()
    if choice == "cancel":
        assert window.isVisible()
        assert run in window.app.trainers
    elif choice == "keep":
        assert not window.isVisible()
        os.kill(pid, 0)  # it is there
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    else:
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=TIMEOUT)
        with RunReader(run) as reader:
            assert reader.state().state == "stopped"
            assert reader.checkpoints()[-1].step == reader.state().step


def test_a_wrong_value_is_marked_in_its_field(qtbot, window):
    section = window.panel.sections[3]
    editor = section.editor_at("optimizer.learning_rate")
    editor.line.selectAll()
    qtbot.keyClicks(editor.line, "-1")
    qtbot.waitUntil(lambda: editor.error.isVisible(), timeout=TIMEOUT)
    assert "at least 0" in editor.error.text()
    assert not window.actions_by_name["start"].isEnabled()
    assert window.problems.isVisible()
    window.app.draft.undo()
    qtbot.waitUntil(lambda: not window.app.checking and not editor.error.isVisible(), timeout=TIMEOUT)
    assert editor.line.text() == "0.1"
    assert window.actions_by_name["start"].isEnabled()


def test_form_and_text_are_the_same_draft(qtbot, window):
    panel = window.panel
    press(qtbot, window, "Ctrl+M")
    assert panel.tabs.currentWidget() is panel.text
    panel.text.setPlainText(panel.text.toPlainText().replace("units = 100", "units = 7"))
    press(qtbot, window, "Ctrl+M")
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    editor = panel.sections[2].editor_at("model.layers.0.units")
    assert editor.line.text() == "7"
    qtbot.waitUntil(lambda: window.app.check.layers[0].output_shape == (7,), timeout=TIMEOUT)
    editor.line.setText("8")
    editor.line.textEdited.emit("8")
    assert "units = 8" in window.app.draft.text
    press(qtbot, window, "Ctrl+Z")
    assert window.app.draft.get(("model", "layers", 0, "units")) == 7


def test_the_window_remembers(qtbot, make_window, tmp_path):
    first = make_window()
    first.commands.set_theme("dark")
    first.app.draft.set(("seed",), 12345)
    live(first).x_axis.setCurrentText("seconds")
    first.close()
    second = make_window()
    assert second.app.preferences.theme == "dark"
    assert second.app.draft.get(("seed",)) == 12345
    assert live(second).x_axis.currentText() == "seconds"
    assert live(second).loss.colours.dark


def test_bad_files_are_one_line_in_the_problems_bar(qtbot, window, tmp_path):
    (tmp_path / "bad.toml").write_text("oops = [")
    draft = window.app.draft.text
    window.commands.open_paths([tmp_path / "bad.toml"])
    assert ["is not TOML" in one.text for one in window.app.notices] == [True]
    assert window.app.draft.text == draft
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "run.db").write_bytes(b"SQLite format 3\0" + bytes(300))
    window.commands.open_paths([tmp_path / "runs" / "broken"])
    qtbot.waitUntil(lambda: window.app.status is not None, timeout=TIMEOUT)
    assert window.app.status.state == "damaged"


def test_every_action_has_a_shortcut_of_its_own(window):
    shortcuts = [action.shortcut().toString() for action in window.actions_by_name.values()]
    assert all(shortcuts)
    assert len(set(shortcuts)) == len(shortcuts)


def test_what_can_be_used_has_a_name_for_who_cannot_see_it(window):
    kinds = (QtWidgets.QLineEdit, QtWidgets.QComboBox, QtWidgets.QAbstractButton, QtWidgets.QTableView)
    for kind in kinds:
        for widget in window.findChildren(kind):
            if widget.objectName().startswith("qt_") or widget.parent().objectName().startswith("qt_"):
                continue
            if isinstance(
                widget.parent(), (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit)
            ):
                continue
            text = widget.text() if isinstance(widget, QtWidgets.QAbstractButton) else ""
            assert widget.accessibleName() or (len(text) > 1), widget


def test_a_run_that_diverges_says_where_and_can_be_taken_over(qtbot, window):
    window.app.draft.set(("optimizer", "learning_rate"), 1e18)
    window.app.draft.set(("model", "layers", 0, "activation"), "relu")
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+Return")
    wait_state(qtbot, window, "crashed")
    qtbot.waitUntil(lambda: bool(window.app.notices), timeout=TIMEOUT)
    assert "layer 'dense_1'" in window.app.notices[0].text
    assert "use a smaller learning rate" in window.app.notices[0].text
    assert window.app.notices[0].trouble == "not finite"
    window.app.draft.set(("optimizer", "learning_rate"), 0.1)
    press(qtbot, window, "Ctrl+Shift+E")
    assert window.app.draft.get(("optimizer", "learning_rate")) == 1e18
    window.app.draft.undo()
    assert window.app.draft.get(("optimizer", "learning_rate")) == 0.1


def test_the_copied_command_trains_the_same(qtbot, make_window, tmp_path):
    window = make_window(epochs=1)
    press(qtbot, window, "Ctrl+Alt+C")
    text = QtGui.QGuiApplication.clipboard().text()
    words = shlex.split(text)
    assert words[:2] == ["ravine", "train"]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    qtbot.waitUntil(lambda: [run.state for run in window.app.runs] == ["finished"], timeout=TIMEOUT)
    press(qtbot, window, "Ctrl+Alt+P")
    script = tmp_path / "script.py"
    script.write_text(QtGui.QGuiApplication.clipboard().text())
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    press(qtbot, window, "Ctrl+Alt+M")
    qtbot.waitUntil(lambda: "mpirun" in QtGui.QGuiApplication.clipboard().text(), timeout=TIMEOUT)
    words = shlex.split(QtGui.QGuiApplication.clipboard().text())
    assert words[:3] == [words[0], "-n", "2"]
    assert words[words.index("-m") + 1 :][:2] == ["ravine", "train"]
