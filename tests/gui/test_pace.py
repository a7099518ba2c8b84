"""How often the window looks, and what it does where nothing happens."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.gui.state import app as app_module
from ravine.gui.state.pace import FASTEST, LONGEST, SHARE, SLOWEST, Pace
from ravine.gui.state.run_list import RunListing
from ravine.runs import RunFolder

TIMEOUT = 20_000


def test_news_makes_it_fast_and_cost_makes_it_slow():
    pace = Pace()
    assert pace.next(True, 0.001) == FASTEST
    assert pace.next(True, 0.04) == pytest.approx(0.04 / SHARE)
    waits = [pace.next(False, 0.0) for _ in range(6)]
    assert waits == sorted(waits)
    assert waits[-1] == SLOWEST
    assert pace.next(True, 0.0) == FASTEST
    assert pace.next(True, 100.0) == LONGEST


def finished(parent, name, started: float = 0.0, steps: int = 50):
    folder = RunFolder.create(parent, name)
    with folder.lock(), folder.writer(["loss"]) as writer:
        numbers = np.arange(1, steps + 1)
        writer.record_steps(numbers, numbers / 10, numbers / 10, np.ones((steps, 1), np.float32))
        writer.set_meta(started=started, epochs=steps / 10)
        writer.set_state("finished")
    return folder


def test_a_run_that_has_ended_is_asked_for_once_a_second_and_answered_never(qtbot, window, tmp_path):
    folder = finished(tmp_path / "runs", "done")
    window.app.select(folder.path)
    tab = window.pages[0]
    qtbot.waitUntil(lambda: tab.loss.picture is not None and window.app.status is not None, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not window.app.feed.live, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: window.timer.interval() == round(1000 * SLOWEST), timeout=TIMEOUT)
    asked, answered = [], []
    ask = window.app.feed.ask
    window.app.feed.ask = lambda queries: (asked.append(queries), ask(queries))
    window.app.feed.answered.connect(answered.append)
    ticks = []
    window.timer.timeout.connect(lambda: ticks.append(window._asked_at))
    qtbot.waitUntil(lambda: len(ticks) > 25, timeout=TIMEOUT)
    assert 0 < len(asked) < len(ticks) / 4
    assert answered == []
    # Another view is asked for at the next tick, and what is written later is found.
    tab.log_x.setChecked(True)
    qtbot.waitUntil(lambda: bool(answered), timeout=TIMEOUT)
    with folder.lock(), folder.writer() as writer:
        numbers = np.arange(51, 61)
        writer.record_steps(numbers, numbers / 10, numbers / 10, np.ones((10, 1), np.float32))
        writer.set_state("running")
        qtbot.waitUntil(lambda: window.app.status.step == 60, timeout=TIMEOUT)
        qtbot.waitUntil(lambda: window.app.feed.live, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: window.app.status.state == "crashed", timeout=TIMEOUT)


def test_a_zoom_is_answered_soon(qtbot, window, tmp_path):
    window.app.select(finished(tmp_path / "runs", "done").path)
    plot = window.pages[0].loss
    qtbot.waitUntil(lambda: plot.picture is not None and not window.app.feed.live, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: window.timer.interval() == round(1000 * SLOWEST), timeout=TIMEOUT)
    plot.limits = (10.0, 20.0)
    plot.view_changed.emit()
    assert window.timer.remainingTime() <= round(1000 * FASTEST)
    qtbot.waitUntil(lambda: plot.picture.x_range == (10.0, 20.0), timeout=TIMEOUT)


def test_a_hidden_window_asks_for_the_status_alone(qtbot, window, tmp_path):
    window.app.select(finished(tmp_path / "runs", "done").path)
    qtbot.waitUntil(lambda: window.pages[0].loss.picture is not None, timeout=TIMEOUT)
    window.hide()
    qtbot.waitUntil(lambda: window._asked.keys() == {"status"}, timeout=TIMEOUT)
    window.show()
    qtbot.waitUntil(lambda: "loss" in window._asked, timeout=TIMEOUT)


def test_the_newest_of_many_runs_are_listed_first(tmp_path):
    parent = tmp_path / "runs"
    names = [f"run-{number}" for number in range(12)]
    for number, name in enumerate(names):
        finished(parent, name, started=1000.0 + number)
    listing = RunListing(parent)
    assert [run.name for run in listing.refresh(0.0)] == ["run-11"]
    assert not listing.complete
    for count in range(2, 13):
        found = [run.name for run in listing.refresh(0.0)]
        assert found == names[::-1][:count]
    assert listing.complete
    assert [run.name for run in RunListing(parent).refresh()] == names[::-1]


def test_all_of_many_runs_are_listed_in_the_end(qtbot, make_window, tmp_path, monkeypatch):
    monkeypatch.setattr(app_module, "FIRST_SECONDS", 0.0)
    for number in range(20):
        finished(tmp_path / "runs", f"run-{number}", started=1000.0 + number)
    window = make_window()
    window.app.refresh_runs()
    qtbot.waitUntil(lambda: len(window.run_list.model.rows) == 20, timeout=TIMEOUT)
    assert [run.name for run in window.run_list.model.rows] == [f"run-{n}" for n in range(19, -1, -1)]
