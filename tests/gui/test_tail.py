"""The record of a run, read while it is written."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.gui.state.curves import Source, View, layer_sources, loss_sources, metric_sources, picture
from ravine.gui.state.heat import NOT_FINITE, heat_picture, statistics_of
from ravine.gui.state.smoothing import Smoother, Smoothing
from ravine.gui.state.tail import RunTail
from ravine.runs import RunFolder

RANDOM = np.random.default_rng(4)
TABLE = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)


def columns(count: int, layers: int = 2) -> dict[str, np.ndarray]:
    names = ["loss", "accuracy"]
    for layer in range(1, layers + 1):
        names += [f"dense_{layer}.{what}" for what in ("gradient_norm", "weight_norm", "update_norm")]
    return {name: RANDOM.uniform(0.5, 2.0, count) for name in names}


def read(path) -> RunTail:
    tail = RunTail(path)
    while tail.refresh():
        pass
    return tail


def test_rows_evaluations_and_events_arrive_as_they_are_written(tmp_path, write_steps):
    folder = RunFolder.create(tmp_path, "live")
    tail = RunTail(folder.path)
    tail.refresh()
    assert "never began" in tail.problem
    data = columns(300)
    with folder.lock(), folder.writer(list(data)) as writer:
        writer.set_state("running")
        for begin in (0, 100, 200):
            write_steps(writer, {name: row[begin : begin + 100] for name, row in data.items()}, begin + 1)
            before = tail.version
            tail.refresh()
            assert tail.version > before
            assert len(tail) == begin + 100
            writer.record_evaluation(begin + 100, 1.0, "train", {"loss": 0.5})
            tail.refresh()
            writer.record_evaluation(begin + 100, 1.0, "validation", {"loss": 0.25})
            tail.refresh()
            assert len(tail.evaluations.series("validation", "loss")[0]) == begin // 100 + 1
        np.testing.assert_array_equal(tail.column("loss"), data["loss"].astype(np.float32))
        writer.record_event(250, 2.5, "set", {"name": "learning_rate", "value": 0.01})
        tail.refresh()
        assert [event.kind for event in tail.events] == ["set"]
        unchanged = tail.version
        tail.refresh()
        assert tail.version == unchanged
        # A resume takes rows away.
        writer.truncate_after(150)
        tail.refresh()
        assert len(tail) == 150
        assert tail.events == []
        assert tail.evaluations.series("validation", "loss")[0].tolist() == [100]
        assert tail.live
    tail.refresh()
    assert tail.state.state == "crashed"
    tail.close()


def test_smoothing_is_kept_and_extended(tmp_path, write_steps):
    folder = RunFolder.create(tmp_path, "live")
    data = columns(200)
    smoothing = Smoothing("median", 9)
    tail = RunTail(folder.path)
    with folder.lock(), folder.writer(list(data)) as writer:
        for begin in (0, 120):
            end = 120 if begin == 0 else 200
            write_steps(writer, {name: row[begin:end] for name, row in data.items()}, begin + 1)
            tail.refresh()
            tail.smoothed("loss", smoothing)
    expected = Smoother(smoothing).extend(data["loss"].astype(np.float32))
    np.testing.assert_allclose(tail.smoothed("loss", smoothing), expected, rtol=1e-6)
    tail.close()


def test_curves_of_a_run(make_run):
    data = columns(1000)
    path = make_run(data)
    tail = read(path)
    assert [source.label for source in loss_sources(path, tail)] == ["train"]
    assert [source.name for source in metric_sources(path, tail)] == ["accuracy"]
    sources = layer_sources(path, tail, "gradient_norm")
    assert [source.label for source in sources] == ["dense_1", "dense_2"]
    found = picture({path: tail}, sources, View(smoothing=Smoothing("off"), log_y=True))
    assert found.x_range == (1, 1000)
    values = np.log10(np.float32(data["dense_1.gradient_norm"]).astype(float))
    assert found.curves[0].y.min() == pytest.approx(values.min())
    assert found.curves[0].y.max() == pytest.approx(values.max())
    assert found.curves[0].last == pytest.approx(data["dense_1.gradient_norm"][-1])
    for axis, end in (("epoch", 10.0), ("samples", 1000.0), ("seconds", 10.0)):
        assert picture({path: tail}, sources, View(axis)).x_range[1] == pytest.approx(end)
    logarithmic = picture({path: tail}, sources, View(log_x=True))
    assert logarithmic.x_range == pytest.approx((0, 3))
    tail.close()


def test_what_is_not_finite_is_a_tick_and_what_a_logarithm_cannot_show_is_counted(make_run):
    data = {"loss": np.arange(100.0) - 1}
    data["loss"][[40, 60]] = [np.nan, np.inf]
    path = make_run(data)
    tail = read(path)
    found = picture({path: tail}, [Source(path, "loss", "train")], View(log_y=True))
    assert found.not_finite.tolist() == [41, 61]
    assert found.hidden == 2
    assert np.isfinite(found.curves[0].y).all()
    tail.close()


def test_edits_are_marked(make_run):
    path = make_run({"loss": np.ones(100)})
    with RunFolder.open(path).writer() as writer:
        writer.record_event(50, 0.5, "set", {"name": "learning_rate", "value": 0.01})
    tail = read(path)
    marks = picture({path: tail}, [Source(path, "loss", "train")], View("seconds")).marks
    assert [(mark.x, mark.text) for mark in marks] == [(pytest.approx(0.5), "learning_rate = 0.01")]
    tail.close()


def test_heat_maps(make_run):
    data = columns(400, layers=5)
    data["dense_3.gradient_norm"][:] = 100.0
    data["dense_4.gradient_norm"][200:] = np.nan
    path = make_run(data)
    tail = read(path)
    assert statistics_of(tail) == ["gradient_norm", "update_ratio", "weight_norm", "update_norm"]
    found = heat_picture(tail, "gradient_norm", View(width=40), TABLE)
    assert found.layers == tuple(f"dense_{layer}" for layer in range(1, 6))
    assert found.colours.shape == (5, 40, 4)
    assert found.levels[1] == pytest.approx(2)
    assert (found.colours[2, :, 0] == 255).all()
    assert (found.colours[3, 25:] == NOT_FINITE).all()
    assert (found.colours[3, :15, 3] == 255).all()
    np.testing.assert_allclose(found.values[2], 100.0)
    ratios = heat_picture(tail, "update_ratio", View(limits=(1, 401), width=400), TABLE)
    assert len(ratios.layers) == 5
    expected = data["dense_1.update_norm"] / data["dense_1.weight_norm"]
    np.testing.assert_allclose(ratios.values[0], expected, rtol=1e-5)
    tail.close()


def test_a_damaged_database_is_a_problem_and_no_exception(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "run.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    tail = RunTail(folder)
    assert not tail.refresh()
    assert tail.problem


def test_the_end_of_a_run_that_crashed_is_marked(make_run):
    path = make_run({"loss": np.ones(100)})
    with RunFolder.open(path).writer() as writer:
        writer.set_state("crashed", "the loss became NaN")
    tail = read(path)
    marks = picture({path: tail}, [Source(path, "loss", "train")], View()).marks
    assert [(mark.x, mark.text) for mark in marks] == [(100.0, "crashed")]
    tail.close()
