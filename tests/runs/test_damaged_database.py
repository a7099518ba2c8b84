"""Damaged and hostile run.db: one RunError that names the file, soon; never a traceback of SQLite."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from ravine.distributions import DistributionRow
from ravine.errors import RunError
from ravine.runs import RunReader, RunWriter


def record(path: Path, count: int) -> None:
    steps = np.arange(1, count + 1)
    with RunWriter(path, ["loss", "gradient/0", "gradient/1"]) as writer:
        writer.record_steps(steps, steps / 10, steps / 100, np.ones((count, 3), np.float32))
        for step in range(5, count + 1, 5):
            writer.record_evaluation(step, step / 10, "validation", {"loss": 1.0 / step})
            writer.record_event(step, step / 100, "set", {"name": "optimizer.learning_rate", "value": step})
            writer.record_checkpoint(step, f"checkpoints/{step}", "0" * 64, "last", {"loss": 1.0 / step})
            packed = bytes([224, 31, 5, 225, 15, 1])
            writer.record_distributions([DistributionRow(step, "dense_1", "output", 0.0, 1.0, packed)])
        writer.record_rank_times(steps, np.ones((count, 2, 4), np.float32))


def damaged(tmp_path: Path, statement: str) -> Path:
    path = tmp_path / "run.db"
    record(path, 10)
    connection = sqlite3.connect(path)
    connection.executescript(statement)
    connection.close()
    return path


def read_all(path: Path) -> None:
    with RunReader(path) as reader:
        reader.tail()
        reader.series("loss")
        for one in reader.distributions():
            one.percentile([5, 50])
        after = 0
        while len(rows := reader.rank_times(after).steps):
            after = int(rows[-1])
        reader.evaluations()
        reader.last_metrics()
        reader.events()
        reader.commands()
        reader.checkpoints()
        reader.state()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE events",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 0",
        "UPDATE steps SET \"values\" = x'00' WHERE step = 3",
        "UPDATE steps SET \"values\" = 'twelve chars' WHERE step = 3",
        "UPDATE steps SET epoch = 'early' WHERE step = 3",
        "UPDATE steps SET epoch = x'00' WHERE step = 3",
        "UPDATE distributions SET counts = x'80'",
        "UPDATE distributions SET counts = x'0000' WHERE step = 10",
        "UPDATE distributions SET counts = 'text'",
        "UPDATE distributions SET minimum = 'low'",
        "UPDATE ranks SET seconds = x'000000' WHERE step = 3",
        "UPDATE ranks SET seconds = x'' WHERE step = 3",
        "UPDATE ranks SET seconds = 'thirty-two characters of no bytes' WHERE step = 3",
        "UPDATE evaluations SET metrics = '{'",
        "UPDATE evaluations SET metrics = '[1]'",
        """UPDATE evaluations SET metrics = '{"loss": "low"}'""",
        "UPDATE events SET payload = x'ff'",
        "UPDATE events SET kind = CAST(x'ff' AS TEXT)",
        f"UPDATE events SET payload = '{'[' * 100_000}'",
        "UPDATE columns SET position = 7 WHERE position = 1",
        "INSERT INTO commands(kind, payload, created) VALUES ('set', '3', 0)",
        "INSERT INTO commands(kind, payload, created) VALUES ('set', '{}', 'noon')",
        "INSERT OR REPLACE INTO meta VALUES ('state', '\"walking\"')",
        "INSERT OR REPLACE INTO meta VALUES ('state', 'x')",
        "DROP TABLE steps; CREATE TABLE steps(step, epoch)",
        # A view that never ends, in the place of a table.
        "DROP TABLE steps; CREATE VIEW steps AS "
        "WITH RECURSIVE n(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM n)"
        " SELECT step, 0.0 AS epoch, 0.0 AS seconds, x'' AS \"values\" FROM n",
    ],
)
def test_hostile_databases(tmp_path: Path, statement: str) -> None:
    path = damaged(tmp_path, statement)
    begin = time.process_time()
    with pytest.raises(RunError) as caught:
        read_all(path)
    assert time.process_time() - begin < 2
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def check_random_damage(tmp_path: Path, count: int) -> None:
    """Flipped bytes, holes and cuts: an answer or a RunError, soon."""
    path = tmp_path / "run.db"
    record(path, 300)
    content = path.read_bytes()
    random = np.random.default_rng(4)
    messages = []
    for number in range(count):
        changed = bytearray(content)
        for _ in range(int(random.integers(1, 20))):
            begin = int(random.integers(len(changed) if number % 2 else 4096))
            changed[begin : begin + int(random.integers(1, 8))] = random.bytes(int(random.integers(1, 8)))
        if number % 5 == 0:
            del changed[int(random.integers(len(changed))) :]
        for name in ("run.db-wal", "run.db-shm"):
            path.with_name(name).unlink(missing_ok=True)
        path.write_bytes(changed)
        begun = time.process_time()
        try:
            read_all(path)
        except RunError as error:
            messages.append(str(error))
        assert time.process_time() - begun < 2
    assert count > len(messages) > count // 10
    assert all(str(path) in message for message in messages)


def test_random_damage(tmp_path: Path) -> None:
    check_random_damage(tmp_path, 500)


@pytest.mark.soak
def test_random_damage_at_length(tmp_path: Path) -> None:
    check_random_damage(tmp_path, 100_000)
