"""Layers, Compare, Model and Log, and what plots are exported to."""

from __future__ import annotations

import csv
import gc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6 import QtCore, QtGui

from ravine import Sequential
from ravine.data import DataSettings, SplitSettings, load, load_digits
from ravine.errors import InputError
from ravine.experiment import load_experiment, parse_experiment
from ravine.gui.plots.heat_map import HeatMap
from ravine.gui.state.compare import CompareQuery, groups_of, settings_of
from ravine.gui.state.curves import View
from ravine.gui.state.draft import Draft, starter
from ravine.gui.state.log import parsed_log
from ravine.gui.state.presets import PRESETS, with_preset
from ravine.gui.state.smoothing import Smoothing
from ravine.gui.state.tail import RunTail
from ravine.gui.widgets.export import export
from ravine.gui.widgets.tabs import LayersTab, LiveTab
from ravine.gui.widgets.tabs.compare import CompareTab
from ravine.gui.widgets.tabs.data import DataTab
from ravine.gui.widgets.tabs.log import LogTab
from ravine.gui.widgets.tabs.model import ModelTab
from ravine.runs import RunReader
from ravine.training.session import train_experiment

TIMEOUT = 20_000


def page(window, kind):
    """Shows a tab."""
    for number, found in enumerate(window.pages):
        if isinstance(found, kind):
            window.tabs.setCurrentIndex(number)
            return found
    raise AssertionError(kind)


@pytest.fixture
def trained(tmp_path):
    """Three short runs with all statistics: two seeds of one rate, and another rate."""
    runs = []
    for name, seed, rate in (("a", 1, 0.1), ("b", 2, 0.1), ("c", 1, 0.01)):
        overrides = [
            f"seed={seed}", f"optimizer.learning_rate={rate}", f"name='{name}'", "training.epochs=3",
            "statistics.level='full'", "statistics.full_every=20", "data.split.validation_fraction=0.2",
        ]  # fmt: skip
        outcome = train_experiment(load_experiment("digits", overrides), parent=tmp_path / "runs")
        runs.append(outcome.path)
    return runs


def test_layers_show_heat_maps_curves_percentiles_and_histograms(qtbot, make_window, trained):
    window = make_window()
    window.app.select(trained[0])
    tab = page(window, LayersTab)
    qtbot.waitUntil(lambda: tab.histogram.shares.size > 0, timeout=TIMEOUT)
    assert tab.layer == "dense_1"
    assert tab.maps[0].map.picture.layers == ("dense_1", "dense_2")
    tab.choose("dense_2")
    qtbot.waitUntil(
        lambda: tab.percentiles.picture.curves[0].source.name == "dense_2.output", timeout=TIMEOUT
    )
    with RunReader(trained[0]) as reader:
        last = reader.distributions("dense_2", "output", last=True)[0]
    expected = last.percentile([15, 50, 85])
    np.testing.assert_allclose([curve.last for curve in tab.percentiles.picture.curves], expected)
    assert tab.histogram.shares.sum() == pytest.approx(1)
    assert (tab.histogram.edges[0], tab.histogram.edges[-1]) == (last.minimum, last.maximum)
    assert "dense_1" in tab.maps[0].map.summary()


def test_a_click_on_a_row_chooses_the_layer(qtbot, make_window, trained):
    window = make_window()
    window.app.select(trained[0])
    tab = page(window, LayersTab)
    qtbot.waitUntil(lambda: tab.maps[0].map.picture is not None and tab.layer == "dense_1", timeout=TIMEOUT)
    heat: HeatMap = tab.maps[0].map
    assert heat.layer_at(0.5) == "dense_1"
    assert heat.layer_at(1.5) == "dense_2"
    assert heat.layer_at(2.5) is None
    heat.row_clicked.emit("dense_2")
    assert tab.layer == "dense_2"


def test_runs_are_compared(qtbot, make_window, trained):
    window = make_window()
    tab = page(window, CompareTab)
    qtbot.waitUntil(lambda: len(window.app.runs) == 3, timeout=TIMEOUT)
    model = window.run_list.model
    for run in trained:
        model.compare(run, True)
    qtbot.waitUntil(
        lambda: tab.plot.picture is not None and len(tab.plot.picture.curves) == 3, timeout=TIMEOUT
    )
    assert tab.quantity.currentText() == "validation:loss"
    assert [curve.source.label for curve in tab.plot.picture.curves] == ["a", "b", "c"]
    heads = [tab.table.horizontalHeaderItem(column).text() for column in range(tab.table.columnCount())]
    assert "optimizer.learning_rate" in heads
    assert tab.table.item(2, heads.index("optimizer.learning_rate")).text() == "0.01"
    colours = [window.app.colour_number(run) for run in trained]
    assert len(set(colours)) == 3
    tab.grouped.setChecked(True)
    qtbot.waitUntil(lambda: len(tab.plot.picture.curves) == 2, timeout=TIMEOUT)
    model.compare(trained[1], False)
    qtbot.waitUntil(lambda: tab.table.rowCount() == 2, timeout=TIMEOUT)
    assert [window.app.colour_number(run) for run in trained] == colours


def test_the_run_list_groups_runs_by_their_settings(qtbot, make_window, trained):
    window = make_window()
    runs = window.run_list
    qtbot.waitUntil(lambda: len(window.app.runs) == 3, timeout=TIMEOUT)
    assert runs.proxy.rowCount() == 3
    runs.grouped.setChecked(True)
    qtbot.waitUntil(lambda: runs.proxy.rowCount() == 5, timeout=TIMEOUT)
    texts = [runs.proxy.index(row, 1).data() for row in range(5)]
    assert "learning_rate 0.01" in texts[0]  # the newest run's
    assert "learning_rate 0.1" in texts[2]
    values = [run.metrics["test.accuracy"] for run in window.app.runs if run.name in "ab"]
    assert f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f} (2)" in texts[2]
    assert runs.table.columnSpan(2, 1) == 3
    runs.proxy.setData(
        runs.proxy.index(2, 0), QtCore.Qt.CheckState.Checked, QtCore.Qt.ItemDataRole.CheckStateRole
    )
    assert set(window.app.compared) == set(trained[:2])
    runs.table.activated.emit(runs.proxy.index(2, 1))
    assert runs.proxy.rowCount() == 3
    assert runs.table.columnSpan(2, 1) == 3
    runs.table.activated.emit(runs.proxy.index(2, 1))
    runs.table.setCurrentIndex(runs.proxy.index(4, 1))
    assert window.app.current in trained[:2]
    runs.search.setText("0.01")
    assert runs.proxy.rowCount() == 1
    runs.search.clear()
    runs.grouped.setChecked(False)
    assert runs.proxy.rowCount() == 3
    assert runs.table.columnSpan(0, 1) == 1


def test_groups_and_their_deviation(trained):
    runs = tuple(trained)
    assert [len(group.runs) for group in groups_of(runs)] == [2, 1]
    assert dict(settings_of(runs))["optimizer.learning_rate"] == ("0.1", "0.1", "0.01")
    tails = {run: RunTail(run) for run in runs}
    for tail in tails.values():
        tail.refresh()
    query = CompareQuery(runs, "validation:loss", View(smoothing=Smoothing("off")), grouped=True)
    found = query.answer(tails)
    values = [tails[run].evaluations.series("validation", "loss")[2] for run in runs[:2]]
    curve, (x, low, high) = found.picture.curves[0], found.bands[0]
    assert (curve.y[0], curve.y[-1]) == pytest.approx(tuple(np.mean(values, 0)[[0, -1]]))
    assert (high - low)[-1] / 2 == pytest.approx(np.std(values, 0, ddof=1)[-1])
    assert len(x) == len(curve.x)
    for tail in tails.values():
        tail.close()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.title)
def test_presets_can_be_trained(preset):
    shape = (64,) if "MLP" in preset.title else (32, 32, 3)
    table = with_preset(Draft(starter()).table, preset, shape, 10)
    experiment = parse_experiment(table, Path())
    network = Sequential(*experiment.model.layers).network(shape, loss=experiment.loss, batch_size=2)
    assert network.output_shape == (10,)


def test_the_model_tab_shows_what_the_core_has_worked_out(qtbot, window):
    tab = page(window, ModelTab)
    assert tab.table.rowCount() == 3  # with the sums
    assert tab.table.item(0, 4).text() == "6,500 (87%)"
    assert tab.table.item(2, 4).text() == "7,510"
    tab.take(PRESETS[1])
    qtbot.waitUntil(lambda: tab.table.rowCount() == 22, timeout=TIMEOUT)
    window.app.draft.undo()
    qtbot.waitUntil(lambda: tab.table.rowCount() == 3, timeout=TIMEOUT)


@pytest.mark.parametrize(("optimizer", "slots"), [("gradient_descent", 0), ("momentum", 1), ("adam", 2)])
def test_memory_of_layers(qtbot, window, optimizer, slots):
    """Float32 weights, gradients and slots, and outputs [32, units]; what a step moves is the plan's."""
    window.app.draft.set(("optimizer",), {"type": optimizer, "learning_rate": 0.01})
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)
    check = window.app.check
    assert [layer.memory for layer in check.layers] == [
        4 * ((2 + slots) * 6500 + 32 * 100), 4 * ((2 + slots) * 1010 + 32 * 10),
    ]  # fmt: skip
    assert (check.memory.parameters, check.memory.gradients) == (4 * 7510, 4 * 7510)
    assert check.memory.optimizer == slots * 4 * 7510
    network = Sequential(*check.experiment.model.layers).network([64], loss="softmax_cross_entropy")
    plan = network.describe()
    assert check.memory.outputs == plan["arena_bytes"]
    assert check.traffic == sum(one["bytes"] for one in plan["operations"])
    assert 0.9 * check.traffic < sum(layer.traffic for layer in check.layers) <= check.traffic
    tab = page(window, ModelTab)
    assert tab.table.item(0, 6).text() == f"{check.layers[0].memory / 1024:.1f} KiB"
    assert f"optimizer {slots * 4 * 7510 / 1024:.1f} KiB" in tab.totals.text() or not slots


def test_the_log(qtbot, make_window, trained, tmp_path):
    with (trained[0] / "log.txt").open("a") as file:
        file.write("2026-01-01 00:00:00 [rank 3] warning: something is odd\n")
    assert parsed_log(trained[0] / "log.txt")[-1].rank == 3
    window = make_window()
    window.app.select(trained[0])
    tab = page(window, LogTab)
    qtbot.waitUntil(lambda: "finished at step" in tab.text.toPlainText(), timeout=TIMEOUT)
    tab.level.setCurrentText("warning")
    assert [line.rank for line in tab.shown_lines()] == [3]
    tab.level.setCurrentText("all levels")
    tab.rank.setCurrentText("rank 3")
    assert tab.text.toPlainText().endswith("something is odd")


@pytest.fixture
def drawn(qtbot, make_window, trained):
    """The Live tab with a finished run."""
    window = make_window()
    window.app.select(trained[0])
    tab = page(window, LiveTab)
    qtbot.waitUntil(lambda: bool(tab.loss.picture and tab.loss.picture.curves), timeout=TIMEOUT)
    return window, tab, trained[0]


def test_pictures_are_exported(qtbot, drawn, tmp_path):
    window, tab, _ = drawn
    for ending in ("png", "svg", "pdf"):
        export(window.app, tab.loss, tmp_path / f"loss.{ending}")
    image = QtGui.QImage(str(tmp_path / "loss.png"))
    assert (image.width(), image.height()) == (1920, 1200)
    svg = (tmp_path / "loss.svg").read_text()
    assert svg.count("<path") + svg.count("<polyline") > 5
    assert "<image" not in svg  # lines, not pixels
    assert re.search(r"<text[^>]*>\s*step", svg)
    pdf = (tmp_path / "loss.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Subtype /Image" not in pdf


def test_points_are_exported_in_full(qtbot, drawn, tmp_path):
    window, tab, run = drawn
    path = tmp_path / "loss.csv"
    export(window.app, tab.loss, path)
    qtbot.waitUntil(path.exists, timeout=TIMEOUT)
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["curve"] == "train"]
    with RunReader(run) as reader:
        steps, values = reader.series("loss")
    assert [int(float(row["x"])) for row in rows] == steps.tolist()
    assert np.array([row["y"] for row in rows], np.float32).tobytes() == values.tobytes()


def test_the_script_draws_the_points_again(qtbot, drawn, tmp_path):
    pytest.importorskip("matplotlib")
    window, tab, _ = drawn
    path = tmp_path / "gradients.py"
    export(window.app, tab.gradient.lines, path)
    qtbot.waitUntil(path.exists, timeout=TIMEOUT)
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        env={"MPLBACKEND": "agg", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert QtGui.QImage(str(tmp_path / "gradients.png")).width() > 500


def test_a_folder_that_cannot_be_written_is_one_line(drawn, tmp_path):
    window, tab, _ = drawn
    with pytest.raises(InputError, match="cannot be written"):
        export(window.app, tab.loss, tmp_path / "none" / "loss.png")
    with pytest.raises(InputError, match="no kind of picture"):
        export(window.app, tab.loss, tmp_path / "loss.bmp")


def test_the_cursor_is_that_of_all_plots(drawn):
    _, tab, _ = drawn
    tab.loss.cursor_moved.emit(20.0)
    for surface in tab.surfaces():
        assert surface.cursor_line.isVisible()
        assert surface.cursor_line.value() == 20.0
    curve = tab.loss.picture.curves[1]
    assert tab.loss.value_at(curve, float(curve.x[1]) + 0.1) == pytest.approx(float(curve.y[1]))
    tab.loss.cursor_moved.emit(None)
    assert not tab.metric_plot.cursor_line.isVisible()


def test_repaints_lose_no_reference_to_none(qtbot, drawn):
    """PySide6 6.11 loses one at each void call on Python 3.11, and ends the process after some minutes."""
    window, tab, _ = drawn
    window.timer.stop()
    tab.loss.draw(tab.loss.picture)
    window.repaint()
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(500):
        tab.loss.draw(tab.loss.picture)
        tab.loss.graphics.viewport().repaint()
    gc.collect()
    assert abs(sys.getrefcount(None) - before) < 100


def test_data_before_and_after_preprocessing(qtbot, window):
    tab = page(window, DataTab)
    qtbot.waitUntil(lambda: tab.found is not None, timeout=TIMEOUT)
    found = tab.found
    parts = window.app.checker.parts
    raw = load_digits()
    np.testing.assert_array_equal(found.counts.sum(0), np.bincount(raw.targets))
    np.testing.assert_array_equal(found.counts[1], np.bincount(parts.validation.targets, minlength=10))
    assert found.before.maximum.max() == 16
    np.testing.assert_allclose(found.after.mean, parts.train.inputs.astype(np.float64).mean(0))
    np.testing.assert_allclose(found.after.mean, 0, atol=1e-5)
    assert np.shape(found.pictures) == (60, 8, 8, 3)
    split = SplitSettings(**window.app.draft.table["data"]["split"])
    plain = load(DataSettings(split=split, preprocessing="none"), Path()).train.inputs
    expected = (255 * plain[:60].reshape(60, 8, 8) / 16).astype(np.uint8)
    np.testing.assert_array_equal(np.array(found.pictures)[..., 0], expected)
    assert "validation" in tab.balance.summary()
    window.app.draft.set(("data", "preprocessing"), "none")
    qtbot.waitUntil(lambda: tab.found.preprocessing == "none", timeout=TIMEOUT)
    np.testing.assert_array_equal(tab.found.before.mean, tab.found.after.mean)


def test_every_tab_opens_without_a_run_and_with_one(qtbot, make_window, trained):
    window = make_window()
    for number in range(len(window.pages)):
        window.tabs.setCurrentIndex(number)
        assert window.cards.isVisible() == window.pages[number].NEEDS_RUN
    window.app.select(trained[0])
    for number, tab in enumerate(window.pages):
        window.tabs.setCurrentIndex(number)
        assert tab.isVisible()
    assert window.app.notices == []
