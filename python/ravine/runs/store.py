"""The writer of run.db: what a trainer records while it runs, and the commands it takes."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.distributions import DistributionRow
from ravine.errors import RunError
from ravine.runs import schema
from ravine.runs.rank_times import NAMES
from ravine.runs.schema import Command, RunStateName


class RunWriter:
    """Writes the record of one run; the holder of the run's lock opens it once.

    Each method is one transaction: after a kill at any moment the database holds it whole or not at all.
    Pending commands of an earlier process are marked expired on opening, so that an old ``stop`` does not
    stop the resumed run.

    Args:
        path: the file ``run.db``; it is made when it is missing.
        columns: the names of the values recorded at each step; None takes those already in the file.

    Raises:
        RunError: the file cannot be opened, is not a run's database, or has other columns.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with RunWriter(Path(parent) / "run.db", ["loss"]) as writer:
        ...         values = np.array([[2.3]], np.float32)
        ...         writer.record_steps(np.array([1]), np.array([0.1]), np.array([0.5]), values)
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        if columns is None and not self.path.exists():
            raise RunError("is missing; start the run with `ravine train`", file=self.path)
        self._data_version = -1
        self._may_have_pending = True
        with schema.database_errors(self.path, "cannot be opened"):
            self._connection = sqlite3.connect(
                self.path, timeout=schema.BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with schema.database_errors(self.path, "cannot be opened"):
                self.columns = self._prepare(columns)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, columns: Sequence[str] | None) -> tuple[str, ...]:
        execute = self._connection.execute
        execute("PRAGMA trusted_schema = OFF")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        is_new = (
            execute("PRAGMA user_version").fetchone()[0] == 0
            and execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        )
        if is_new:
            if columns is None:
                raise RunError("is empty; start the run with `ravine train`", file=self.path)
            names = [str(name) for name in columns]
            if len(set(names)) != len(names):
                raise RunError("a name of a recorded value is given twice", file=self.path)
            with self._transaction():
                for statement in schema.CREATE.split(";"):
                    execute(statement)
                self._connection.executemany("INSERT INTO columns VALUES (?, ?)", list(enumerate(names)))
                self._put(generation=0, started=time.time(), ended=None)
                execute(f"PRAGMA user_version = {schema.VERSION}")
        schema.check_tables(self._connection, self.path)
        try:
            stored = schema.read_columns(self._connection)
        except ValueError as error:
            raise RunError(f"is damaged: {error}", file=self.path) from error
        if columns is not None and stored != tuple(columns):
            raise RunError(
                f"records {list(stored)}, not {list(columns)}: use the same settings or another name",
                file=self.path,
            )
        with self._transaction():
            execute(schema.CREATE_DISTRIBUTIONS)
            execute(schema.CREATE_RANKS)
            execute(
                "UPDATE commands SET status = 'expired', reply = ? WHERE status = 'pending'",
                ("the trainer ended before it took the command",),
            )
            self._put(pid=os.getpid(), host=socket.gethostname())
        return stored

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may already have rolled back.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with schema.database_errors(self.path, "cannot be written"), self._transaction():
            yield

    def _put(self, **values: Any) -> None:
        rows = [(key, schema.encoded(value)) for key, value in values.items()]
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def record_steps(
        self,
        steps: NDArray[np.int64],
        epochs: NDArray[np.float64],
        seconds: NDArray[np.float64],
        values: NDArray[np.float32],
    ) -> None:
        """Records many steps in one transaction: all of them or none.

        Args:
            steps: [n] numbers of the steps, each new.
            epochs: [n] epochs done after the step, with fraction.
            seconds: [n] training time so far, in seconds.
            values: [n, columns] the recorded values, in the order of ``columns``.

        Raises:
            RunError: full disk, I/O error, a step that is already there.
            ValueError: shapes that do not fit.
        """
        count = len(steps)
        shapes = (np.shape(epochs), np.shape(seconds), np.shape(values))
        if shapes != ((count,), (count,), (count, len(self.columns))):
            raise ValueError(
                f"expected [{count}], [{count}] and [{count}, {len(self.columns)}], got {shapes}"
            )
        packed = np.ascontiguousarray(values, "<f4").tobytes()
        width = 4 * len(self.columns)
        blobs = [packed[row * width : (row + 1) * width] for row in range(count)]
        rows = zip(
            np.asarray(steps, np.int64).tolist(),
            np.asarray(epochs, np.float64).tolist(),
            np.asarray(seconds, np.float64).tolist(),
            blobs,
            strict=True,
        )
        with self._writing():
            self._connection.executemany("INSERT INTO steps VALUES (?, ?, ?, ?)", rows)

    def record_distributions(self, rows: Sequence[DistributionRow]) -> None:
        """Records how values were distributed at some steps, each new; all of them or none."""
        with self._writing():
            self._connection.executemany("INSERT INTO distributions VALUES (?, ?, ?, ?, ?, ?)", rows)

    def record_rank_times(self, steps: NDArray[np.int64], seconds: NDArray[np.float32]) -> None:
        """Records what the ranks of a job did in some steps, each new; all of them or none.

        Args:
            steps: [n] numbers of the steps.
            seconds: [n, ranks, 4] of compute, wait, communicate, overlapped; see `RankTimes`.

        Raises:
            ValueError: shapes that do not fit.
        """
        if seconds.ndim != 3 or len(seconds) != len(steps) or seconds.shape[2] != len(NAMES):
            raise ValueError(f"expected [{len(steps)}, ranks, {len(NAMES)}], got {seconds.shape}")
        blobs = [np.ascontiguousarray(row, "<f4").tobytes() for row in seconds]
        rows = zip(np.asarray(steps, np.int64).tolist(), blobs, strict=True)
        with self._writing():
            self._connection.executemany("INSERT INTO ranks VALUES (?, ?)", rows)

    def record_evaluation(self, step: int, epoch: float, split: str, metrics: Mapping[str, float]) -> None:
        """Records the metrics of one split after a step; a second time replaces the first."""
        row = (int(step), float(epoch), split, schema.encoded_metrics(metrics))
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?)", row)

    def record_event(
        self, step: int, seconds: float, kind: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Records that something happened after a step: an edit, a pause, a warning."""
        row = (int(step), float(seconds), kind, schema.encoded(dict(payload or {})))
        with self._writing():
            self._connection.execute(
                "INSERT INTO events(step, seconds, kind, payload) VALUES (?, ?, ?, ?)", row
            )

    def record_checkpoint(
        self, step: int, file: str, sha256: str, kind: str, metrics: Mapping[str, float]
    ) -> None:
        """Records a checkpoint that is on the disk; a second time replaces the first."""
        row = (int(step), file, sha256, kind, schema.encoded_metrics(metrics))
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)", row)

    def synchronize(self) -> None:
        """Brings all that was recorded to the disk; call it before a checkpoint is saved.

        A killed process loses nothing without it; a loss of power could otherwise leave a checkpoint that
        is ahead of the record.
        """
        with schema.database_errors(self.path, "cannot be written"):
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with self._transaction():
                    self._put(synchronized=time.time())
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def pending_commands(self) -> list[Command]:
        """The commands not yet acknowledged, oldest first; costs some microseconds when nothing came."""
        with schema.database_errors(self.path, "cannot be read"):
            # Changes only when another connection has committed.
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._data_version and not self._may_have_pending:
                return []
            query = f"SELECT {schema.COMMAND_FIELDS} FROM commands WHERE status = 'pending' ORDER BY id"
            rows = self._connection.execute(query).fetchall()
        commands = []
        for row in rows:
            try:
                commands.append(schema.command_of(row))
            except (ValueError, TypeError, RecursionError):
                self.acknowledge(int(row[0]), 0, "refused", "the command cannot be read")
        self._data_version = version
        self._may_have_pending = bool(commands)
        return commands

    def commands_taken_after(self, step: int) -> list[Command]:
        """Commands taken after a step, oldest first: what a resumed run has to replay."""
        where = "WHERE taken_step > ? AND status = 'done' ORDER BY id"
        query = f"SELECT {schema.COMMAND_FIELDS} FROM commands {where}"
        with schema.database_errors(self.path, "cannot be read"):
            return [schema.command_of(row) for row in self._connection.execute(query, (int(step),))]

    def take(self, command: Command, step: int, seconds: float, reply: str = "") -> None:
        """Records that a command was obeyed, as an event and for its sender, in one transaction."""
        event = (int(step), float(seconds), command.kind, schema.encoded(dict(command.payload)))
        with self._writing():
            self._connection.execute(
                "INSERT INTO events(step, seconds, kind, payload) VALUES (?, ?, ?, ?)", event
            )
            self._answer(command.id, step, "done", reply)

    def acknowledge(self, command_id: int, step: int, status: str = "done", reply: str = "") -> None:
        """Tells the sender what became of a command.

        Args:
            command_id: the command.
            step: the step after which it was taken.
            status: ``done`` or ``refused``.
            reply: one line for the sender.
        """
        if status not in ("done", "refused"):
            raise ValueError(f"expected 'done' or 'refused', got {status!r}")
        with self._writing():
            self._answer(command_id, step, status, reply)

    def _answer(self, command_id: int, step: int, status: str, reply: str) -> None:
        self._connection.execute(
            "UPDATE commands SET taken_step = ?, status = ?, reply = ? WHERE id = ?",
            (int(step), status, reply, int(command_id)),
        )

    def truncate_after(self, step: int) -> None:
        """Forgets what was recorded after a step, so that a resumed record equals an unbroken one.

        Commands stay, see `commands_taken_after`. Readers notice by ``generation``.
        """
        with self._writing():
            for table in ("steps", "distributions", "ranks", "evaluations", "events", "checkpoints"):
                self._connection.execute(f"DELETE FROM {table} WHERE step > ?", (int(step),))
            self._connection.execute(
                "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'generation'"
            )

    def set_state(self, state: RunStateName, reason: str = "") -> None:
        """Records running, paused, finished, stopped or crashed, with a reason in one line."""
        if state not in schema.STATES:
            raise ValueError(f"expected one of {schema.STATES}, got {state!r}")
        ended = None if state in ("running", "paused") else time.time()
        self.set_meta(state=state, reason=" ".join(reason.split()), ended=ended)

    def set_meta(self, **values: Any) -> None:
        """Records facts of the run as JSON (``epochs`` and ``steps`` planned, version, seed)."""
        with self._writing():
            self._put(**values)

    def close(self) -> None:
        """Closes the database; what was recorded stays even if this fails."""
        with schema.database_errors(self.path, "cannot be closed"):
            self._connection.close()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
