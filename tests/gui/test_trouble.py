"""What is said when a run breaks, and the way back to its last checkpoint."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6 import QtCore, QtWidgets

from ravine.experiment import load_experiment
from ravine.gui.state.tail import RunTail
from ravine.gui.state.trouble import EXPLANATIONS, trouble_of
from ravine.gui.widgets.trouble import RestoreDialog, WhyDialog
from ravine.runs import RunReader
from ravine.training.checkpoint import saved_files
from ravine.training.session import train_experiment

TIMEOUT = 20_000


def until(qtbot, window, condition) -> None:
    """Waits until the status of the current run is such."""
    app = window.app
    qtbot.waitUntil(lambda: app.status is not None and condition(app.status), timeout=TIMEOUT)


def problem_button(qtbot, window, text: str) -> QtWidgets.QToolButton:
    def found() -> list[QtWidgets.QToolButton]:
        buttons = window.problems.findChildren(QtWidgets.QToolButton)
        return [one for one in buttons if one.text() == text and one.isVisible()]

    qtbot.waitUntil(
        lambda: bool(found()), timeout=TIMEOUT
    )  # what is added to a layout is shown a little later
    return found()[0]


def test_a_run_that_broke_goes_on_from_its_checkpoint_with_another_rate(qtbot, window):
    window.app.draft.set(("model", "layers", 0, "activation"), "relu")
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    window.commands.start()
    until(qtbot, window, lambda status: status.state == "running")
    qtbot.waitUntil(lambda: window.app.status.step > 0, timeout=TIMEOUT)
    window.commands.checkpoint()
    qtbot.waitUntil(
        lambda: any(one.kind == "checkpoint" and one.status == "done" for one in window.app.status.commands),
        timeout=TIMEOUT,
    )
    tab = window.pages[0]
    tab.edit_name.setCurrentText("learning_rate")
    tab.edit_value.setText("1e30")
    tab.apply_edit()
    until(qtbot, window, lambda status: status.state == "crashed")
    qtbot.waitUntil(lambda: bool(window.app.notices), timeout=TIMEOUT)
    step, run = window.app.status.step, window.app.current
    problem_button(qtbot, window, "Why?").click()
    why = window.findChild(WhyDialog)
    assert "NaN" in why.text.text()
    assert why.explanation.path.name == "regularization.md"
    assert "## clip_norm" in why.explanation.path.read_text()
    why.close()
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)
    problem_button(qtbot, window, "Restore checkpoint…").click()
    dialog = window.findChild(RestoreDialog)
    assert dialog.rate.text() == "0.01"
    qtbot.waitUntil(dialog.go.isEnabled, timeout=TIMEOUT)
    dialog.rate.setText("fast")
    dialog.accept()
    assert "a number" in dialog.error.text()
    dialog.rate.setText("0.02")
    assert dialog.table.item(0, 0).text() == "last"
    qtbot.keyClick(dialog.rate, QtCore.Qt.Key.Key_Return)
    until(qtbot, window, lambda status: status.state == "running")
    qtbot.waitUntil(lambda: window.app.status.step > step, timeout=TIMEOUT)
    assert window.app.notices == []
    with RunReader(run) as reader:
        assert reader.series("learning_rate")[1][-1] == pytest.approx(0.02)
        assert np.isfinite(reader.series("loss")[1]).all()


def test_any_checkpoint_can_be_gone_back_to(qtbot, window):
    folder = window.app.runs_folder
    plan = load_experiment("digits", ["training.epochs=6", "training.checkpoint_seconds=0",
                                      "data.split.validation_fraction=0.15"])  # fmt: skip
    run = train_experiment(plan, parent=folder).path
    window.app.open_run(run)
    until(qtbot, window, lambda status: status.state == "finished")
    last = window.app.status.step
    assert window.actions_by_name["restore"].isEnabled()
    window.actions_by_name["restore"].trigger()
    dialog = window.findChild(RestoreDialog)
    assert dialog.rate.text() == "0.1"  # it did not break: as it was
    qtbot.waitUntil(dialog.go.isEnabled, timeout=TIMEOUT)
    table = dialog.table
    names = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert names[0] == "last"
    assert names[-1].startswith("best")
    files = saved_files(run)
    assert [table.item(row, 1).text() for row in range(3)] == [str(one.step) for one in files[:3]]
    assert all(table.item(row, 2).text().endswith("ago") for row in range(len(names)))
    assert float(table.item(1, 4).text()) == pytest.approx(files[1].metrics["validation.loss"], rel=1e-3)
    table.setFocus()
    qtbot.keyClick(table, QtCore.Qt.Key.Key_Down)
    dialog.rate.setText("0.0125")
    qtbot.keyClick(dialog.rate, QtCore.Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)
    assert window.app.notices == []
    with RunReader(run) as reader:
        steps, rates = reader.series("learning_rate")
        assert (reader.state().state, steps[-1]) == ("finished", last)
        assert rates[steps <= files[1].step] == pytest.approx(0.1)
        assert rates[steps > files[1].step] == pytest.approx(0.0125)


def test_a_run_without_checkpoints_says_so(qtbot, window, make_run):
    window.app.open_run(make_run({"loss": np.ones(3)}))
    until(qtbot, window, lambda status: status.state == "finished")
    window.commands.restore()
    dialog = window.findChild(RestoreDialog)
    qtbot.waitUntil(lambda: "no checkpoint" in dialog.error.text(), timeout=TIMEOUT)
    assert not dialog.go.isEnabled()
    dialog.close()


def test_every_trouble_is_explained_by_a_page_that_is_there():
    for kind, explanation in EXPLANATIONS.items():
        assert explanation.path is not None, kind
        assert explanation.remedies
        assert any(
            f"## {explanation.entry}" in page.read_text() for page in explanation.path.parent.glob("*.md")
        )


def norms(first: float, second: float, count: int = 100) -> dict[str, np.ndarray]:
    """Gradient norms of two layers, the first of which goes elsewhere in the second half."""
    columns = {"loss": np.ones(count), "a.gradient_norm": np.ones(count), "b.gradient_norm": np.ones(count)}
    columns["a.gradient_norm"][count // 2 :] = first
    columns["b.gradient_norm"][count // 2 :] = second
    return columns


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [(1e4, 1.0, "explosion"), (1e-8, 1.0, "vanishing"), (10.0, 0.1, ""), (math.nan, 1.0, ""), (0.0, 0.0, "")],
)
def test_gradients_that_explode_or_vanish_are_told(make_run, first, second, kind):
    tail = RunTail(make_run(norms(first, second)))
    tail.refresh()
    found, text = trouble_of(tail)
    assert found == kind
    assert ("layer 'a'" in text) == bool(kind)
    tail.close()
