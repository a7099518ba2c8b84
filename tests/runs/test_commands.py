"""Commands: sent from anywhere, taken by the trainer, answered."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ravine.errors import InputError, RunError
from ravine.runs import RunFolder, RunWriter, send_command, wait_for_reply


@contextmanager
def running(parent: Path) -> Iterator[tuple[RunFolder, RunWriter]]:
    folder = RunFolder.create(parent, "run")
    with folder.lock(), folder.writer(["loss"]) as writer:
        writer.set_state("running")
        yield folder, writer


def test_commands_arrive_once_and_are_answered(tmp_path: Path) -> None:
    with running(tmp_path) as (folder, writer):
        assert writer.pending_commands() == []
        first = send_command(folder.path, "set", name="optimizer.learning_rate", value=0.01)
        second = send_command(folder.path, "pause")
        commands = writer.pending_commands()
        assert [(c.id, c.kind, c.payload) for c in commands] == [
            (first, "set", {"name": "optimizer.learning_rate", "value": 0.01}),
            (second, "pause", {}),
        ]
        writer.acknowledge(first, 12, reply="learning rate is 0.01")
        assert [c.id for c in writer.pending_commands()] == [second]
        writer.acknowledge(second, 13, "refused", "is paused already")
        assert writer.pending_commands() == []
        answer = wait_for_reply(folder.path, first)
        assert (answer.status, answer.taken_step, answer.reply) == ("done", 12, "learning rate is 0.01")
        assert wait_for_reply(folder.path, second).status == "refused"
        assert [c.id for c in writer.commands_taken_after(11)] == [first]
        assert writer.commands_taken_after(12) == []
        third = send_command(folder.path, "stop")
        with pytest.raises(RunError, match="has not answered within"):
            wait_for_reply(folder.path, third, timeout=0.05)
        with pytest.raises(RunError, match="holds no command 99"):
            wait_for_reply(folder.path, 99)


def test_an_old_stop_does_not_stop_the_resumed_run(tmp_path: Path) -> None:
    with running(tmp_path) as (folder, _):
        number = send_command(folder.path, "stop")
    with folder.lock(), folder.writer() as writer:
        assert writer.pending_commands() == []
        assert wait_for_reply(folder.path, number).status == "expired"


def test_commands_need_a_trainer_and_sense(tmp_path: Path) -> None:
    with running(tmp_path) as (folder, writer):
        with pytest.raises(InputError, match="did you mean 'pause'"):
            send_command(folder.path, "puase")  # type: ignore[arg-type]
        for kind, payload, pattern in (
            ("set", {"name": "x"}, "needs the name"),
            ("set", {"name": "x", "value": [1]}, "must be a number"),
            ("stop", {"when": 3}, "takes no 'when'"),
            ("step", {"count": 0}, "count of at least 1"),
        ):
            with pytest.raises(InputError, match=pattern):
                send_command(folder.path, kind, **payload)  # type: ignore[arg-type]
        assert writer.pending_commands() == []
    with pytest.raises(RunError, match="is not running"):
        send_command(folder.path, "stop")
    with pytest.raises(RunError, match="is missing"):
        send_command(tmp_path, "stop")


def test_many_senders_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as (folder, writer):
        threads = [
            threading.Thread(
                target=lambda: [send_command(folder.path, "set", name="x", value=n) for n in range(10)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        taken: list[int] = []
        step = 0
        while len(taken) < 40 and step < 100_000:
            step += 1
            writer.record_steps(np.array([step]), np.ones(1), np.ones(1), np.ones((1, 1), np.float32))
            for command in writer.pending_commands():
                writer.acknowledge(command.id, step)
                taken.append(command.id)
        for thread in threads:
            thread.join()
        assert sorted(taken) == list(range(1, 41))


def test_an_unreadable_command_is_refused_not_fatal(tmp_path: Path) -> None:
    with running(tmp_path) as (folder, writer):
        connection = sqlite3.connect(folder.database_path)
        connection.execute("INSERT INTO commands(kind, payload, created) VALUES ('set', '[', 0)")
        connection.commit()
        good = send_command(folder.path, "pause")
        assert [command.id for command in writer.pending_commands()] == [good]
        found = connection.execute("SELECT status FROM commands ORDER BY id").fetchall()
        connection.close()
        assert found == [("refused",), ("pending",)]
