"""run.db: what the writer records is there for every reader, at once, in full, and after kill -9."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import sqlite3
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.distributions import DistributionRow
from ravine.errors import InputError, RunError
from ravine.runs import RunReader, RunWriter

COLUMNS = ["loss", "gradient/0", "gradient/1"]


def rows(first: int, count: int) -> tuple[Any, Any, Any, Any]:
    """Each row is a function of its step, so that any mixture or loss shows."""
    steps = np.arange(first, first + count, dtype=np.int64)
    values = (steps[:, None] * np.array([0.5, 0.25, -1.0])).astype(np.float32)
    return steps, steps / 10.0, steps / 100.0, values


def assert_rows(reader: RunReader, first: int, count: int) -> None:
    tail = reader.tail(limit=10**9)
    for actual, expected in zip(tail, rows(first, count), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def contents(path: Path) -> dict[str, list[Any]]:
    """The tables as SQLite sees them, without our reader."""
    connection = sqlite3.connect(path)
    tables = ("columns", "steps", "distributions", "ranks", "evaluations", "events", "checkpoints")
    result = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    connection.close()
    return result


def record(writer: RunWriter, first: int, last: int) -> None:
    writer.record_steps(*rows(first, last - first + 1))
    for step in range(first, last + 1):
        if step % 5 == 0:
            writer.record_evaluation(step, step / 10, "validation", {"loss": 1.0 / step})
            writer.record_event(step, step / 100, "set", {"name": "optimizer.learning_rate", "value": step})
            writer.record_checkpoint(step, f"checkpoints/{step}", "0" * 64, "last", {"loss": 1.0 / step})
            writer.record_distributions(distributions(step))


def distributions(step: int) -> list[DistributionRow]:
    """Of one layer's output and of a gradient: `step` zeros, and one value of 1."""
    packed = bytes([224, 31, step, 225, 15, 1])
    return [
        DistributionRow(step, "dense_1", "output", 0.0, 1.0, packed),
        DistributionRow(step, "dense_1.bias", "gradient", -1.0, 2.0, b""),
    ]


def test_times_of_ranks_come_back_and_go_with_their_steps(path: Path) -> None:
    draws = np.random.default_rng(1)
    four, two = draws.random((6, 4, 4), np.float32), draws.random((3, 2, 4), np.float32)
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        assert reader.rank_times().seconds.shape == (0, 0, 4)
        writer.record_rank_times(np.arange(1, 7), four)
        writer.record_rank_times(np.arange(7, 10), two)  # resumed on fewer ranks
        first = reader.rank_times()
        np.testing.assert_array_equal(first.steps, np.arange(1, 7))
        np.testing.assert_array_equal(first.seconds, four)
        last = reader.rank_times(int(first.steps[-1]))
        np.testing.assert_array_equal(last.steps, [7, 8, 9])
        np.testing.assert_array_equal(last.seconds, two)
        assert not len(reader.rank_times(9).steps)
        np.testing.assert_array_equal(reader.rank_times(1, limit=2).seconds, four[1:3])
        stored = contents(path)["ranks"]
        assert struct.unpack("<16f", stored[5][1]) == tuple(map(float, four[5].reshape(-1)))
        writer.truncate_after(4)
        np.testing.assert_array_equal(reader.rank_times().steps, [1, 2, 3, 4])
        with pytest.raises(ValueError, match=re.escape("expected [1, ranks, 4], got (1, 4)")):
            writer.record_rank_times(np.array([9]), four[0, :1])


def test_distributions_come_back_and_go_with_their_steps(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        assert reader.distributions() == []
        record(writer, 1, 20)
        found = reader.distributions()
        assert [(one.step, one.name, one.kind) for one in found] == [
            (step, name, kind)
            for step in (5, 10, 15, 20)
            for name, kind in (("dense_1", "output"), ("dense_1.bias", "gradient"))
        ]
        assert (found[0].bins.tolist(), found[0].counts.tolist()) == ([0, 2017], [5, 1])
        assert found[0].edges.tolist() == [[0.0, 0.0], [1.0, 1.0]]  # the maximum ends the bin
        assert (found[1].minimum, found[1].maximum, found[1].count) == (-1.0, 2.0, 0)
        assert np.isnan(found[1].percentile(50))
        assert [one.step for one in reader.distributions("dense_1", after_step=10)] == [15, 20]
        assert [one.name for one in reader.distributions(kind="gradient", last=True)] == ["dense_1.bias"]
        assert reader.distributions("dense_2") == []
        with pytest.raises(InputError, match="output, weight, gradient"):
            reader.distributions(kind="wieght")  # type: ignore[arg-type]
        writer.truncate_after(12)
        assert sorted({one.step for one in reader.distributions()}) == [5, 10]
        writer.record_distributions(distributions(15))


def test_runs_of_the_first_versions_have_no_distributions(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer:
        record(writer, 1, 10)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE distributions")
    connection.close()
    with RunReader(path) as reader:
        assert reader.distributions() == []
        assert_rows(reader, 1, 10)
    with RunWriter(path) as writer, RunReader(path) as reader:  # a resume makes the table
        writer.truncate_after(7)
        record(writer, 8, 10)
        assert [one.step for one in reader.distributions("dense_1")] == [10]


def test_rows_are_packed_little_endian(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer:
        writer.record_steps(*rows(1, 3))
    tables = contents(path)
    assert tables["columns"] == list(enumerate(COLUMNS))
    assert tables["steps"][1] == (2, 0.2, 0.02, struct.pack("<3f", 1.0, 0.5, -2.0))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_reader_sees_what_is_written_while_it_is_written(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        assert reader.columns == tuple(COLUMNS)
        assert reader.tail().values.shape == (0, 3)
        record(writer, 1, 20)
        assert_rows(reader, 1, 20)
        record(writer, 21, 30)
        tail = reader.tail(after_step=18, limit=4)
        np.testing.assert_array_equal(tail.steps, [19, 20, 21, 22])
        steps, values = reader.series("gradient/1")
        np.testing.assert_array_equal(steps, np.arange(1, 31))
        np.testing.assert_array_equal(values, -np.arange(1, 31, dtype=np.float32))
        assert [e.metrics for e in reader.evaluations(after_step=20)] == [{"loss": 1 / 25}, {"loss": 1 / 30}]
        assert reader.last_metrics() == {"validation.loss": 1 / 30}
        event = reader.events()[-1]
        assert (event.step, event.kind, event.payload["value"]) == (30, "set", 30)
        assert reader.events(after_id=event.id) == []
        assert reader.checkpoints()[0].file == "checkpoints/5"


def test_non_finite_values_are_kept(path: Path) -> None:
    values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        writer.record_steps(np.array([1]), np.array([0.1]), np.array([0.1]), values)
        writer.record_evaluation(1, 0.1, "test", {"loss": math.nan})
        np.testing.assert_array_equal(reader.tail().values, values)
        assert math.isnan(reader.evaluations()[0].metrics["loss"])


def test_a_resumed_record_equals_an_unbroken_one(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.db", tmp_path / "resumed.db"
    with RunWriter(whole, COLUMNS) as writer:
        record(writer, 1, 40)
    with RunWriter(resumed, COLUMNS) as writer:
        record(writer, 1, 33)
    with RunWriter(resumed) as writer, RunReader(resumed) as reader:
        generation = reader.state().generation
        writer.truncate_after(20)
        assert reader.state().generation == generation + 1
        record(writer, 21, 40)
    assert contents(resumed) == contents(whole)


def test_wrong_shapes_and_repeated_steps(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        steps, epochs, seconds, values = rows(5, 4)
        with pytest.raises(ValueError, match=r"expected \[4\]"):
            writer.record_steps(steps, epochs[:3], seconds, values)
        with pytest.raises(ValueError, match=r"\[4, 3\]"):
            writer.record_steps(steps, epochs, seconds, values[:, :2])
        writer.record_steps(steps, epochs, seconds, values)
        with pytest.raises(RunError, match="UNIQUE"):
            writer.record_steps(*rows(1, 5))
        assert_rows(reader, 5, 4)  # the refused transaction left nothing
        writer.record_steps(*rows(9, 4))
        assert_rows(reader, 5, 8)


def test_other_columns_are_refused(path: Path) -> None:
    with pytest.raises(RunError, match="is missing"):
        RunWriter(path)
    RunWriter(path, COLUMNS).close()
    with RunWriter(path) as writer:
        assert writer.columns == tuple(COLUMNS)
    with pytest.raises(RunError, match=r"run.db: records \['loss'"):
        RunWriter(path, ["loss"])
    with pytest.raises(RunError, match="given twice"):
        RunWriter(path.with_name("b.db"), ["loss", "loss"])


def test_unknown_column_suggests_the_right_one(path: Path) -> None:
    RunWriter(path, COLUMNS).close()
    with RunReader(path) as reader, pytest.raises(RunError, match="did you mean 'gradient/0'"):
        reader.series("gradent/0")


def test_states(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer, RunReader(path) as reader:
        writer.set_meta(epochs=15)
        writer.record_steps(*rows(1, 7))
        writer.set_state("finished")
        state = reader.state()
        assert (state.state, state.step, state.epoch, state.seconds) == ("finished", 7, 0.7, 0.07)
        assert state.meta["epochs"] == 15
        assert state.started is not None
        assert state.ended is not None
        assert 0 <= state.ended - state.started < 60
        writer.set_state("crashed", "loss is NaN\nsince step 7")
        assert (reader.state().state, reader.state().reason) == ("crashed", "loss is NaN since step 7")
        writer.set_state("running")  # nobody holds the lock here
        assert reader.state().state == "crashed"
        with pytest.raises(ValueError, match="expected one of"):
            writer.set_state("walking")  # type: ignore[arg-type]


def test_a_thousand_rows_cost_little(path: Path) -> None:
    """A step of a small network takes 20 microseconds: its record must cost a fraction of that."""
    values = np.zeros((1000, 20), np.float32)
    with RunWriter(path, [f"column {number}" for number in range(20)]) as writer:
        times = []
        for batch in range(10):
            begin = time.process_time()
            steps = np.arange(batch * 1000, (batch + 1) * 1000)
            writer.record_steps(steps, steps.astype(np.float64), steps.astype(np.float64), values)
            times.append(time.process_time() - begin)
        begin = time.process_time()
        for _ in range(1000):
            assert writer.pending_commands() == []
        poll = (time.process_time() - begin) / 1000
    assert min(times) < 0.02
    assert poll < 5e-4


def _record_until_killed(path: Path, pipe: int) -> None:
    with RunWriter(path, COLUMNS) as writer:
        first = len(RunReader(path).tail(limit=10**9).steps)
        while True:
            writer.record_steps(*rows(first, 50))
            first += 50
            os.write(pipe, struct.pack("<q", first))


def check_kills(folder: Path, count: int) -> None:
    random = np.random.default_rng(3)
    for number in range(count):
        path = folder / f"{number // 10}" / "run.db"  # a new one now and then: each is read in full
        path.parent.mkdir(exist_ok=True)
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _record_until_killed(path, send)
            finally:
                os._exit(1)
        os.close(send)
        last = os.read(receive, 8)
        time.sleep(random.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        while data := os.read(receive, 1 << 16):
            last = data[-8:]
        os.close(receive)
        recorded = struct.unpack("<q", last)[0]
        assert path.with_name("run.db-wal").stat().st_size > 0
        with RunReader(path) as reader:
            found = len(reader.tail(limit=10**9).steps)
            assert found in (recorded, recorded + 50)
            assert_rows(reader, 0, found)


def test_kills(tmp_path: Path) -> None:
    check_kills(tmp_path, 10)


@pytest.mark.soak
def test_kills_at_length(tmp_path: Path) -> None:
    check_kills(tmp_path, 300)


def test_a_full_disk_is_named_and_nothing_else_is_lost(path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorded = 0
    with RunWriter(path, COLUMNS) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        try:
            message = ""
            while not message:
                try:
                    writer.record_steps(*rows(recorded, 1000))
                    recorded += 1000
                except RunError as error:
                    message = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert 0 < recorded < 100_000
        assert message.startswith(f"{path}: cannot be written: ")
        assert "disk" in message
        with RunReader(path) as reader:
            assert_rows(reader, 0, recorded)
        writer.record_steps(*rows(recorded, 1000))
        writer.synchronize()
    with RunReader(path) as reader:
        assert_rows(reader, 0, recorded + 1000)


def as_nobody(action: Any) -> int:
    """Runs the action in a child that may not write what the tests made; returns its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("killed", [False, True])
def test_a_folder_that_cannot_be_written(killed: bool) -> None:
    parent = Path(tempfile.mkdtemp())
    try:
        folder = parent / "run"
        folder.mkdir()
        writer = RunWriter(parent / "run.db", COLUMNS)
        writer.record_steps(*rows(0, 30))
        if killed:  # what a killed trainer leaves: the rows are only in the log
            shutil.copy(parent / "run.db", folder)
            shutil.copy(parent / "run.db-wal", folder)
        writer.close()
        if not killed:
            shutil.copy(parent / "run.db", folder)
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        parent.chmod(0o755)

        def read() -> None:
            with pytest.raises(PermissionError):
                (folder / "new").touch()
            with RunReader(folder) as reader:
                assert_rows(reader, 0, 30)
            with RunReader(folder, snapshot=True) as reader:
                assert_rows(reader, 0, 30)

        assert as_nobody(read) == 0
    finally:
        (parent / "run").chmod(0o755)
        shutil.rmtree(parent)


def test_meta_is_json(path: Path) -> None:
    with RunWriter(path, COLUMNS) as writer:
        writer.set_meta(seed=2**64 - 1, name="é")
    connection = sqlite3.connect(path)
    meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
    connection.close()
    assert meta["seed"] == 2**64 - 1
    assert meta["name"] == "é"
