"""Runs of several ranks in the app."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from PySide6 import QtGui

from ravine.gui.plots.colours import colour_table
from ravine.gui.state.curves import View
from ravine.gui.state.mpi import processors, why_no_ranks
from ravine.gui.state.ranks import HEADS, RanksQuery
from ravine.gui.state.tail import RunTail
from ravine.gui.widgets.tabs.compare import CompareTab
from ravine.gui.widgets.tabs.ranks import RanksTab
from ravine.runs import RunFolder

TIMEOUT = 20_000
RANDOM = np.random.default_rng(5)


def run_of_ranks(parent, seconds, hosts, name="ranks"):
    """A run of which each step took seconds [steps, ranks, 4]."""
    folder, count = RunFolder.create(parent, name), len(seconds)
    steps = np.arange(1, count + 1)
    with folder.lock(), folder.writer(["loss"]) as writer:
        writer.set_meta(epochs=10, data={"train": 100}, hosts=hosts)
        writer.record_steps(steps, steps / 10, steps / 5, np.ones((count, 1), np.float32))
        writer.record_rank_times(steps, seconds)
        writer.set_state("finished")
    return folder.path


def times(count: int, ranks: int, slow: int | None = None) -> np.ndarray:
    seconds = RANDOM.uniform(0.001, 0.002, (count, ranks, 4)).astype(np.float32)
    seconds[:, :, 3] = 0
    if slow is not None:  # the others wait for it
        seconds[:, slow, 0] *= 20
        seconds[:, :, 1] = seconds[:, slow, 0, None] - seconds[:, :, 0]
    return seconds


def test_means_and_waits_of_ranks(tmp_path):
    seconds = times(400, 3, slow=1)
    path = run_of_ranks(tmp_path, seconds, ["anna", "bert", "anna"])
    tail = RunTail(path)
    tail.refresh()
    found = RanksQuery(path, View(limits=(1.0, 401.0), width=400), colour_table()).answer({path: tail})
    means = seconds.mean(0, dtype=np.float64)
    for rank, row in enumerate(found.rows):
        assert row[:2] == (str(rank), ["anna", "bert", "anna"][rank])
        shown = [float(text.removesuffix(" ms")) / 1e3 for text in row[2:6]]
        np.testing.assert_allclose(shown, means[rank], rtol=5e-3)
        whole = means[rank] @ [1, 1, 1, -1]
        assert float(row[6].removesuffix(" %")) == pytest.approx(100 * means[rank, 0] / whole, abs=0.5)
    assert found.slowest == 1
    assert "Rank 1 on bert is the slowest" in found.text
    assert found.wait.layers == ("rank 0", "rank 1", "rank 2")
    np.testing.assert_allclose(found.wait.values, seconds[:, :, 1].T, rtol=1e-6)
    tail.close()


def test_even_ranks_have_no_slowest_and_another_number_of_them_begins_anew(tmp_path):
    path = run_of_ranks(tmp_path, times(50, 4), ["anna"] * 4)
    with RunFolder.open(path).lock(), RunFolder.open(path).writer() as writer:
        steps, later = np.arange(51, 81), times(30, 2)
        writer.record_steps(steps, steps / 10, steps / 5, np.ones((30, 1), np.float32))
        writer.record_rank_times(steps, later)
        writer.set_meta(hosts=["anna", "anna"])
        writer.set_state("finished")
    tail = RunTail(path)
    tail.refresh()
    found = RanksQuery(path, View(), colour_table()).answer({path: tail})
    assert len(found.rows) == 2
    assert found.slowest is None
    assert "30 recorded steps" in found.text
    tail.close()


def test_the_tab_is_there_for_runs_of_several_ranks(qtbot, window, tmp_path, make_run):
    alone = make_run({"loss": np.ones(50)}, "alone")
    path = run_of_ranks(tmp_path / "runs", times(200, 3, slow=2), ["anna", "bert", "carl"])
    number = next(number for number, page in enumerate(window.pages) if isinstance(page, RanksTab))
    tab, action = window.pages[number], window.actions_by_name["tab Ranks"]
    assert not window.tabs.isTabVisible(number)
    window.app.select(path)
    qtbot.waitUntil(lambda: window.tabs.isTabVisible(number), timeout=TIMEOUT)
    assert action.isVisible()
    action.trigger()
    assert window.page is tab
    qtbot.waitUntil(lambda: tab.table.rowCount() == 3 and tab.map.picture is not None, timeout=TIMEOUT)
    texts = [tab.table.item(2, column).text() for column in range(len(HEADS))]
    assert texts[:2] == ["2", "carl"]
    assert [tab.table.item(row, 0).font().bold() for row in range(3)] == [False, False, True]
    assert tab.table.item(2, 0).foreground().color() == QtGui.QColor(tab.map.colours.error)
    assert tab.map.picture.layers == ("rank 0", "rank 1", "rank 2")
    assert "rank 0" in tab.map.summary()
    assert "Rank 2 on carl is the slowest" in tab.about.text()
    window.app.select(alone)
    qtbot.waitUntil(lambda: window.app.status is not None and window.app.status.run == alone, timeout=TIMEOUT)
    assert not window.tabs.isTabVisible(number)
    assert not action.isVisible()
    assert window.page is not tab
    window.commands.show_tab(number)
    assert window.page is not tab


def test_errors_are_compared_by_step_and_by_time_side_by_side(qtbot, window, make_run):
    fast, slow = (make_run({"loss": np.linspace(1, 0, 100)}, name) for name in ("fast", "slow"))
    number = next(number for number, page in enumerate(window.pages) if isinstance(page, CompareTab))
    window.tabs.setCurrentIndex(number)
    tab = window.pages[number]
    window.app.compare([fast, slow])
    qtbot.waitUntil(
        lambda: all(plot.picture is not None and plot.picture.curves for plot in (tab.plot, tab.by_time)),
        timeout=TIMEOUT,
    )
    qtbot.waitUntil(lambda: tab.quantity.currentText() == "loss", timeout=TIMEOUT)
    qtbot.waitUntil(lambda: len(tab.by_time.picture.curves[0].x) > 10, timeout=TIMEOUT)
    assert tab.plot.picture.x_range == (1.0, 100.0)
    assert tab.by_time.picture.x_range == pytest.approx((0.01, 1.0))
    assert tab.surfaces() == [tab.plot, tab.by_time]
    tab.x_axis.setCurrentText("seconds")
    assert tab.surfaces() == [tab.plot]
    tab.x_axis.setCurrentText("epoch")
    tab.beside.setChecked(False)
    assert tab.surfaces() == [tab.plot]


def test_two_ranks_are_chosen_train_and_show_what_they_did(qtbot, make_window):
    if why_no_ranks():
        pytest.skip(f"needs MPI: {why_no_ranks()}")
    window = make_window(epochs=30)
    ranks = window.toolbar.ranks
    assert [ranks.itemText(row) for row in range(ranks.count())] == [
        str(count) for count in range(1, max(2, processors()) + 1)
    ]
    qtbot.waitUntil(lambda: ranks.model().item(1).isEnabled(), timeout=TIMEOUT)
    assert ranks.toolTip() == ""
    ranks.setCurrentIndex(1)
    window.commands.copy_command()
    assert QtGui.QGuiApplication.clipboard().text().startswith("ravine launch -n 2 train ")
    window.commands.start()
    qtbot.waitUntil(
        lambda: window.app.status is not None and window.app.status.state == "finished", timeout=120_000
    )
    number = next(number for number, page in enumerate(window.pages) if isinstance(page, RanksTab))
    assert window.tabs.isTabVisible(number)
    window.commands.show_tab(number)
    qtbot.waitUntil(lambda: window.page.table.rowCount() == 2, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not window.app.trainers.running, timeout=TIMEOUT)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_goes_on_with_the_ranks_that_it_had_here(qtbot, window, tmp_path, monkeypatch, elsewhere):
    hosts = [socket.gethostname(), "elsewhere" if elsewhere else socket.gethostname()]
    path = run_of_ranks(tmp_path / "runs", times(20, 2), hosts)
    window.app.select(path)
    qtbot.waitUntil(lambda: window.app.status is not None and window.app.status.ranks == 2, timeout=TIMEOUT)
    started = []
    monkeypatch.setattr(window.app.trainers, "start", started.append)
    window.app.resume(path)
    assert started[0].ranks == (1 if elsewhere else 2)
    assert started[0].text.startswith("ravine resume" if elsewhere else "ravine launch -n 2 resume")


def test_what_is_missing_for_ranks_is_said(qtbot, make_window, monkeypatch):
    missing = 'mpi4py is missing; install it with: pip install "ravine[mpi]"'
    monkeypatch.setattr("ravine.gui.widgets.toolbar.why_no_ranks", lambda: missing)
    window = make_window()
    ranks = window.toolbar.ranks
    qtbot.waitUntil(lambda: ranks.toolTip() == missing, timeout=TIMEOUT)
    assert not ranks.model().item(1).isEnabled()
    assert ranks.model().item(0).isEnabled()
    assert ranks.model().item(1).toolTip() == missing
