"""What is said when a run breaks, and the way back to its last checkpoint."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6 import QtCore, QtWidgets

from ravine.gui.state.tail import RunTail
from ravine.gui.state.trouble import EXPLANATIONS, trouble_of
from ravine.gui.widgets.trouble import RestoreDialog, WhyDialog
from ravine.runs import RunReader

TIMEOUT = 20_000


def until(qtbot, window, condition) -> None:
    """Waits until the status of the current run is such."""
    app = window.app
    qtbot.waitUntil(lambda: app.status is not None and condition(app.status), timeout=TIMEOUT)


def problem_button(qtbot, window, text: str) -> QtWidgets.QToolButton:
    def found() -> list[QtWidgets.QToolButton]:
        buttons = window.problems.findChildren(QtWidgets.QToolButton)
        return [one for one in buttons if one.text() == text and one.isVisible()]

    qtbot.waitUntil(lambda: bool(found()), timeout=TIMEOUT)  # what is added to a layout is shown a little later
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
    dialog.rate.setText("fast")
    dialog.accept()
    assert "a number" in dialog.error.text()
    dialog.rate.setText("0.02")
    qtbot.keyClick(dialog.rate, QtCore.Qt.Key.Key_Return)
    until(qtbot, window, lambda status: status.state == "running")
    qtbot.waitUntil(lambda: window.app.status.step > step, timeout=TIMEOUT)
    assert window.app.notices == []
    with RunReader(run) as reader:
        assert reader.series("learning_rate")[1][-1] == pytest.approx(0.02)
        assert np.isfinite(reader.series("loss")[1]).all()


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
