"""Long runs in bounded memory: what is kept of them is what NumPy says of all records."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.gui.state import records as module
from ravine.gui.state.curves import Source, View, picture
from ravine.gui.state.feed import Feed
from ravine.gui.state.heat import NOT_FINITE, heat_picture
from ravine.gui.state.panels import CurvesQuery
from ravine.gui.state.points import series_of
from ravine.gui.state.records import Records
from ravine.gui.state.smoothing import Smoother, Smoothing
from ravine.gui.state.tail import RunTail
from ravine.runs import RunFolder

ROWS = 256
TABLE = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)


@pytest.fixture
def small(monkeypatch):
    """Room for few rows."""
    monkeypatch.setattr(module, "MOST_ROWS", ROWS)
    monkeypatch.setattr(module, "LEAST_ROWS", ROWS)


def values_of(count: int, columns: int, seed: int, broken: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(columns, count)).astype(np.float32)
    bad = random.uniform(size=values.shape)
    values[bad < broken] = np.nan
    values[bad < broken / 2] = np.inf
    return values


@pytest.mark.usefixtures("small")
@settings(deadline=None)
@given(st.lists(st.integers(0, 900), max_size=8), st.integers(0, 99), st.sampled_from([0.0, 0.02, 0.9]))
def test_groups_hold_smallest_largest_and_mean(parts, seed, broken):
    count = sum(parts)
    values, places = values_of(count, 3, seed, broken), np.arange(1.0, count + 1)[None]
    records, begin = Records(3, 1), 0
    for part in parts:
        records.append(places[:, begin : begin + part], values[:, begin : begin + part])
        begin += part
    stride = records.stride
    assert records.count == count
    assert len(records) <= ROWS + stride
    assert records.exact == (count <= ROWS)
    whole = count // stride * stride
    ends = np.append(np.arange(stride, whole + 1, stride), np.arange(whole + 1, count + 1))
    np.testing.assert_array_equal(records.places(0), ends)
    starts = np.append(0, ends)[:-1].astype(int)
    for column, row in enumerate(values):
        for place, (first, last) in enumerate(zip(starts, ends, strict=True)):
            part = row[first : int(last)]
            finite = part[np.isfinite(part)].astype(np.float64)
            assert records.broken(column)[place] == (len(finite) < len(part))
            if stride == 1 or last > whole:
                np.testing.assert_array_equal(records.mean(column)[place], part[0])
            elif len(finite):
                assert records.low(column)[place] == finite.min()
                assert records.high(column)[place] == finite.max()
                if len(finite) == len(part):
                    assert records.mean(column)[place] == pytest.approx(finite.mean(), abs=1e-5)
            else:
                assert np.isnan(records.mean(column)[place])
        assert records.not_positive[column] == np.count_nonzero(row[np.isfinite(row)] <= 0)
        first_broken = np.flatnonzero(~np.isfinite(row))
        np.testing.assert_equal(
            records.first_broken[column], first_broken[0] + 1 if len(first_broken) else np.nan
        )
        np.testing.assert_array_equal(records.last[column], row[-1] if count else np.nan)


@pytest.mark.usefixtures("small")
def test_smoothing_of_groups_is_that_of_their_means_and_goes_on_to_the_newest():
    values, smoothing = values_of(1000, 1, 3), Smoothing("exponential", 40)
    records = Records(1, 1)
    for begin in range(0, 1000, 9):
        part = slice(begin, min(begin + 9, 1000))
        records.append(np.arange(1000.0)[None, part], values[:, part])
        smooth = records.smoothed(0, smoothing)
        assert len(smooth) == len(records)
    assert records.stride == 4
    groups = 1000 // 4
    means = values[0, : groups * 4].reshape(groups, 4).astype(np.float64).mean(1)
    expected = Smoother(Smoothing("exponential", 40 // 4)).extend(means)
    np.testing.assert_allclose(smooth[:groups], expected, rtol=1e-4, atol=1e-6)
    assert (smooth[groups:] == smooth[groups - 1]).all()


def test_memory_is_bounded_whatever_the_length_and_the_width():
    for columns in (1, 4, 300):
        records = Records(columns, 3, 4 << 20)
        rows = np.ones((columns, 20_000), np.float32)
        for part in range(20):
            records.append(np.arange(20_000.0)[None].repeat(3, 0) + 20_000 * part, rows)
        assert records.count == 400_000
        assert records.bytes < 13 << 20  # a row more than doubles at most, and a smallest number is kept
        assert records.places(0)[-1] == 399_999


def long_run(tmp_path, count: int = 5000):
    """A run of two layers that is longer than what is kept; a NaN and a peak among its values."""
    values = np.exp(values_of(count, 3, 7))
    values[0, 1234] = np.nan
    values[1, 3456] = 1e6
    folder = RunFolder.create(tmp_path, "long")
    steps = np.arange(1, count + 1)
    with folder.lock(), folder.writer(["loss", "dense_1.gradient_norm", "dense_2.gradient_norm"]) as writer:
        writer.set_meta(epochs=10, data={"train": 100})
        writer.record_steps(steps, steps / 500, steps / 100, values.T)
        writer.set_state("finished")
    return folder.path, values


def read(tail: RunTail) -> None:
    while tail.refresh():
        pass


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("log_x", [False, True])
def test_a_close_view_of_a_long_run_shows_every_record(tmp_path, log_x):
    path, values = long_run(tmp_path)
    tail = RunTail(path)
    read(tail)
    assert not tail.records.exact
    tails, off = {path: tail}, Smoothing("off")
    whole = picture(tails, [Source(path, "dense_1.gradient_norm", "")], View(smoothing=off))
    assert whole.curves[0].y.max() == np.float32(1e6)  # a peak is never lost
    loss = picture(tails, [Source(path, "loss", "train")], View(smoothing=off))
    assert len(loss.not_finite) == 1  # nor a NaN
    low, high = np.log10([1200, 1260]) if log_x else (1200.0, 1260.0)
    view = View(limits=(low, high), width=400, log_x=log_x, smoothing=off)
    query = CurvesQuery(path, "loss", view)
    query.answer(tails)
    version = tail.version
    read(tail)
    assert tail.version > version  # so that the query is answered again
    close = query.answer(tails)
    x = close.curves[0].x
    steps = np.round(10**x if log_x else x).astype(int)
    inside = (steps >= 1200) & (steps <= 1260)
    assert steps[inside].tolist() == [step for step in range(1200, 1261) if step != 1235]
    np.testing.assert_array_equal(close.curves[0].y[inside], values[0][steps[inside] - 1])
    assert np.round(10**close.not_finite if log_x else close.not_finite).tolist() == [1235]
    version = tail.version
    read(tail)
    assert tail.version == version
    CurvesQuery(path, "loss", View()).answer(tails)
    assert tail._detail is None
    tail.close()


@pytest.mark.usefixtures("small")
def test_a_close_view_of_the_end_goes_on_with_the_run(tmp_path):
    folder = RunFolder.create(tmp_path, "live")
    tail = RunTail(folder.path)
    with folder.lock(), folder.writer(["loss"]) as writer:
        writer.set_state("running")

        def add(first: int, last: int) -> None:
            steps = np.arange(first, last + 1)
            writer.record_steps(steps, steps / 10, steps / 10, steps[:, None].astype(np.float32))

        add(1, 2000)
        read(tail)
        query = CurvesQuery(folder.path, "loss", View(limits=(1950.0, 2020.0), smoothing=Smoothing("off")))
        for last in (2000, 2010, 2020):
            if last > 2000:
                add(last - 9, last)
            read(tail)
            query.answer({folder.path: tail})
            read(tail)
            shown = query.answer({folder.path: tail}).curves[0].x
            assert shown[shown >= 1950].tolist() == [*range(1950, last + 1)]
    tail.close()


@pytest.mark.usefixtures("small")
def test_a_heat_map_of_a_long_run_shows_means_and_what_is_not_finite(tmp_path):
    path, values = long_run(tmp_path)
    tail = RunTail(path)
    read(tail)
    stride = tail.records.stride
    found = heat_picture(tail, "gradient_norm", View(width=10), TABLE)
    assert found.values[1, 3] == pytest.approx(values[2, 1500:2000].mean(), rel=0.2)
    close = View(limits=(1001.0, 1001.0 + stride), width=stride)
    heat_picture(tail, "gradient_norm", close, TABLE)
    read(tail)
    found = heat_picture(tail, "gradient_norm", close, TABLE)
    np.testing.assert_allclose(found.values[0, :-1], values[1, 1000 : 999 + stride], rtol=1e-6)
    tail.close()
    broken = np.ones((2, 5000), np.float32)
    broken[1, 4000] = np.nan
    folder = RunFolder.create(tmp_path, "broken")
    steps = np.arange(1, 5001)
    with folder.lock(), folder.writer(["dense_1.gradient_norm", "dense_2.gradient_norm"]) as writer:
        writer.record_steps(steps, steps / 500, steps / 100, broken.T)
    tail = RunTail(folder.path)
    read(tail)
    found = heat_picture(tail, "gradient_norm", View(width=20), TABLE)
    assert (found.colours == NOT_FINITE).all(axis=2).sum() == 1
    tail.close()


@pytest.mark.usefixtures("small")
def test_an_export_holds_all_points_of_a_long_run(tmp_path):
    path, values = long_run(tmp_path)
    found = series_of(CurvesQuery(path, "gradient_norm", View("seconds")))
    assert [series.label for series in found] == ["dense_1", "dense_2"]
    np.testing.assert_array_equal(found[1].y, values[2])
    np.testing.assert_allclose(found[1].x, np.arange(1, 5001) / 100)


def test_many_long_runs_share_the_memory(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("ravine.gui.state.feed.MOST_BYTES", 1 << 20)
    monkeypatch.setattr("ravine.gui.state.feed.KEPT_BYTES", 1 << 18)
    paths = []
    for number in range(8):
        folder = RunFolder.create(tmp_path, f"run-{number}")
        steps = np.arange(1, 20_001)
        with folder.lock(), folder.writer(["loss"]) as writer:
            writer.record_steps(steps, steps / 500, steps / 100, np.ones((20_000, 1), np.float32))
            writer.set_state("finished")
        paths.append(folder.path)
    feed = Feed()
    try:
        for count in (1, 8, 1):
            queries = {str(path): CurvesQuery(path, "loss", View()) for path in paths[:count]}
            done = []
            feed.answered.connect(done.append)

            def complete(count=count, queries=queries):
                feed.ask(queries)
                tails = list(feed._tails.values())[-count:]
                return len(tails) == count and all(tail.records.count == 20_000 for tail in tails)

            qtbot.waitUntil(complete, timeout=20_000)
            qtbot.waitUntil(lambda: not feed._busy, timeout=20_000)
            assert sum(tail.bytes for tail in feed._tails.values()) <= (1 << 20) + (1 << 18)
    finally:
        feed.close()
