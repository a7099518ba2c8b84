"""Readers of run.db, which work while a trainer writes it; and the sender of commands."""

from __future__ import annotations

import difflib
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.distributions import Distribution, Kind, check_kind
from ravine.errors import InputError, RunError
from ravine.runs import lock, schema
from ravine.runs.rank_times import RankTimes, unpacked_times
from ravine.runs.schema import CheckpointRow, Command, CommandKind, Evaluation, Event

_DAMAGE = (ValueError, TypeError, OverflowError, RecursionError, IndexError, KeyError)
_PROGRESS_INTERVAL = 100_000


class StepRows(NamedTuple):
    """Recorded steps: ``steps`` [n], ``epochs`` [n], ``seconds`` [n], ``values`` [n, columns] float32."""

    steps: NDArray[np.int64]
    epochs: NDArray[np.float64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class RunState:
    """What a run is doing.

    ``state`` is running, paused, finished, stopped or crashed (also when the process is gone without a
    word). ``seconds`` is the training time over all resumes; ``started`` and ``ended`` are Unix times.
    ``generation`` grows when a resume has taken rows away: read again from the start then.
    """

    state: str
    reason: str = ""
    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    started: float | None = None
    ended: float | None = None
    generation: int = 0
    meta: dict[str, Any] = field(default_factory=dict)


class RunReader:
    """Reads the record of a run; never writes, and works while the trainer writes or after it was killed.

    Args:
        path: the run folder or its ``run.db``.
        snapshot: True for one quick look at a run that may have ended: later changes need not show.

    Raises:
        RunError: here and in every method: missing, damaged or not a run's database; the file is named.
    """

    def __init__(self, path: Path, *, snapshot: bool = False) -> None:
        path = Path(path)
        self.path = path / "run.db" if path.is_dir() else path
        if not self.path.is_file():
            raise RunError("is missing; the run never began, or was copied in part", file=self.path)
        self._lock_path = self.path.with_name("lock")
        self._files = self.path, self.path.with_name(self.path.name + "-wal")
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._steps_left = 0
        self._connection: sqlite3.Connection | None = None
        try:
            self._open(snapshot)
            self.columns = self._columns()
        except BaseException:
            self.close()
            raise

    def _open(self, snapshot: bool) -> None:
        wal = self._files[1]
        try:
            has_wal = wal.stat().st_size > 0
        except OSError:
            has_wal = False
        # Without a log and without a writer the file is all there is: no lock and no shared memory needed.
        if snapshot and not has_wal and lock.holder(self._lock_path) is None:
            self._connect(self.path, "immutable=1")
            return
        try:
            self._connect(self.path, "mode=ro")
        except RunError as error:
            code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
            if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            # A file system that cannot be written has no room for the shared memory of the log.
            if has_wal:
                self._connect(self._copied(wal), "mode=rw")
            else:
                self._connect(self.path, "immutable=1")

    def _copied(self, wal: Path) -> Path:
        try:
            self._copy = tempfile.TemporaryDirectory(prefix="ravine-")
            copy = Path(self._copy.name) / "run.db"
            shutil.copyfile(self.path, copy)
            shutil.copyfile(wal, copy.with_name("run.db-wal"))
        except OSError as error:
            raise RunError(f"cannot be read: {error.strerror or error}", file=self.path) from error
        return copy

    def _connect(self, path: Path, options: str) -> None:
        with schema.database_errors(self.path, "cannot be read"):
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{options}",
                uri=True,
                timeout=schema.BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                connection.set_progress_handler(self._progress, _PROGRESS_INTERVAL)
                self._renew_budget()
                connection.execute("PRAGMA trusted_schema = OFF")
                schema.check_tables(connection, self.path)
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    def _renew_budget(self) -> None:
        """A damaged file may send SQLite in circles: a query may work as long as the file is."""
        size = 0
        for name in self._files:
            try:
                size += name.stat().st_size
            except OSError:
                continue
        self._steps_left = 2_000_000 + 4 * size

    def _progress(self) -> int:
        self._steps_left -= _PROGRESS_INTERVAL
        return int(self._steps_left < 0)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise RunError("the reader is closed", file=self.path)
        self._renew_budget()
        with schema.database_errors(self.path, "cannot be read"):
            try:
                yield self._connection
            except _DAMAGE as error:
                raise RunError(f"is damaged: {error}", file=self.path) from error

    def _columns(self) -> tuple[str, ...]:
        with self._reading() as connection:
            return schema.read_columns(connection)

    def version(self) -> int:
        """Another number than before if another process has written since; costs some microseconds."""
        with self._reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def tail(self, after_step: int = -1, limit: int = 10_000) -> StepRows:
        """The recorded steps after a step, oldest first, at most ``limit`` of them."""
        query = 'SELECT step, epoch, seconds, "values" FROM steps WHERE step > ? ORDER BY step LIMIT ?'
        with self._reading() as connection:
            rows = connection.execute(query, (int(after_step), int(limit))).fetchall()
            width = 4 * len(self.columns)
            for row in rows:
                if not isinstance(row[3], bytes) or len(row[3]) != width:
                    raise ValueError(f"step {row[0]} does not hold {len(self.columns)} values")
            values = np.frombuffer(b"".join(row[3] for row in rows), "<f4").reshape(
                len(rows), len(self.columns)
            )
            return StepRows(
                np.array([row[0] for row in rows], np.int64),
                np.array([row[1] for row in rows], np.float64),
                np.array([row[2] for row in rows], np.float64),
                values.astype(np.float32, copy=False),
            )

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """All recorded values of one column: steps [n] and values [n].

        Raises:
            RunError: no such column; or the database is damaged.
        """
        if name not in self.columns:
            close = difflib.get_close_matches(name, self.columns, 1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; it holds {list(self.columns)}"
            raise RunError(f"no column '{name}'{hint}", file=self.path)
        begin = 4 * self.columns.index(name) + 1
        with self._reading() as connection:
            query = 'SELECT step, substr("values", ?, 4) FROM steps ORDER BY step'
            rows = connection.execute(query, (begin,)).fetchall()
            packed = b"".join(row[1] for row in rows)
            if len(packed) != 4 * len(rows):
                raise ValueError(f"a step does not hold {len(self.columns)} values")
            values = np.frombuffer(packed, "<f4").astype(np.float32, copy=False)
            return np.array([row[0] for row in rows], np.int64), values

    def distributions(
        self,
        name: str | None = None,
        kind: Kind | None = None,
        *,
        after_step: int = -1,
        last: bool = False,
    ) -> list[Distribution]:
        """How values were distributed at the steps where a run with full statistics recorded it.

        Args:
            name: of a layer or a parameter; all without.
            kind: "output", "weight" or "gradient"; all without.
            after_step: those after this step.
            last: those of the last such step alone.

        Returns:
            By step, then in the order of the layers; empty where nothing was recorded.

        Raises:
            InputError: an unknown kind.

        Example:
            >>> import numpy as np
            >>> def percentiles(run, layer):  # steps [n], and values [n, 3]
            ...     with RunReader(run) as reader:
            ...         found = reader.distributions(layer, "output")
            ...     values = np.array([one.percentile([15, 50, 85]) for one in found])
            ...     return np.array([one.step for one in found]), values
        """
        check_kind(kind)
        query = (
            "SELECT step, name, kind, minimum, maximum, counts FROM distributions WHERE step > ?1 "
            "AND (?2 IS NULL OR name = ?2) AND (?3 IS NULL OR kind = ?3) "
            "AND (NOT ?4 OR step = (SELECT max(step) FROM distributions)) ORDER BY step, rowid"
        )
        with self._reading() as connection:
            if not _has_table(connection, "distributions"):
                return []
            rows = connection.execute(query, (int(after_step), name, kind, last)).fetchall()
            return [Distribution.of(schema.distribution_of(row)) for row in rows]

    def rank_times(self, after_step: int = -1, limit: int = 10_000) -> RankTimes:
        """What the ranks of a job did in the recorded steps after a step, oldest first, at most ``limit``.

        All rows have equally many ranks: where a run went on with another number of them, the rows from there
        on come with the next call. ``state().meta["hosts"]`` names the hosts of the last ranks, in order.
        """
        query = "SELECT step, seconds FROM ranks WHERE step > ? ORDER BY step LIMIT ?"
        with self._reading() as connection:
            rows = []
            if _has_table(connection, "ranks"):
                rows = connection.execute(query, (int(after_step), int(limit))).fetchall()
            return unpacked_times(rows)

    def evaluations(self, after_step: int = -1) -> list[Evaluation]:
        """Metrics of the splits after a step, oldest first."""
        query = "SELECT step, epoch, split, metrics FROM evaluations WHERE step > ? ORDER BY step, split"
        with self._reading() as connection:
            rows = connection.execute(query, (int(after_step),)).fetchall()
            return [Evaluation(int(r[0]), float(r[1]), str(r[2]), schema.decoded_metrics(r[3])) for r in rows]

    def last_metrics(self) -> dict[str, float]:
        """The newest metrics of each split, as ``{"validation.loss": 0.31, ...}``."""
        query = "SELECT split, metrics, max(step) FROM evaluations GROUP BY split ORDER BY split"
        with self._reading() as connection:
            rows = connection.execute(query).fetchall()
            return {
                f"{split}.{name}": value
                for split, text, _ in rows
                for name, value in schema.decoded_metrics(text).items()
            }

    def events(self, after_id: int = 0) -> list[Event]:
        """What happened, oldest first."""
        query = "SELECT id, step, seconds, kind, payload FROM events WHERE id > ? ORDER BY id"
        with self._reading() as connection:
            rows = connection.execute(query, (int(after_id),)).fetchall()
            return [Event(r[0], int(r[1]), float(r[2]), str(r[3]), schema.decoded_object(r[4])) for r in rows]

    def commands(self, after_id: int = 0) -> list[Command]:
        """Commands with what became of them, oldest first."""
        query = f"SELECT {schema.COMMAND_FIELDS} FROM commands WHERE id > ? ORDER BY id"
        with self._reading() as connection:
            return [schema.command_of(row) for row in connection.execute(query, (int(after_id),)).fetchall()]

    def checkpoints(self) -> list[CheckpointRow]:
        """Checkpoints that were made, oldest first; older files may have been pruned since."""
        query = "SELECT step, file, sha256, kind, metrics FROM checkpoints ORDER BY step, kind"
        with self._reading() as connection:
            rows = connection.execute(query).fetchall()
            return [
                CheckpointRow(int(r[0]), str(r[1]), str(r[2]), str(r[3]), schema.decoded_metrics(r[4]))
                for r in rows
            ]

    def state(self) -> RunState:
        """What the run is doing; a run whose process is gone without a word is ``crashed``."""
        with self._reading() as connection:
            meta = {str(key): json.loads(value) for key, value in connection.execute("SELECT * FROM meta")}
            last = connection.execute(
                "SELECT step, epoch, seconds FROM steps ORDER BY step DESC LIMIT 1"
            ).fetchone()
            state, reason = str(meta.get("state", "running")), str(meta.get("reason", ""))
            if state not in schema.STATES:
                raise ValueError(f"state '{state}' is unknown")
            if state in ("running", "paused") and lock.holder(self._lock_path) is None:
                state, reason = "crashed", "the process ended without a word; continue with `ravine resume`"
            started, ended = meta.get("started"), meta.get("ended")
            step, epoch, seconds = last or (0, 0.0, 0.0)
            return RunState(
                state,
                reason,
                int(step),
                float(epoch),
                float(seconds),
                None if started is None else float(started),
                None if ended is None else float(ended),
                int(meta.get("generation", 0)),
                meta,
            )

    def close(self) -> None:
        """Closes the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def __enter__(self) -> RunReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?"
    return bool(connection.execute(query, (name,)).fetchone()[0])


def send_command(path: Path, kind: CommandKind, **payload: Any) -> int:
    """Sends a command to the trainer of a run, from any process.

    Args:
        path: the run folder.
        kind: pause, resume, stop, step, checkpoint or set.
        payload: ``name`` and ``value`` of the hyperparameter for ``set``; ``count`` for ``step``.

    Returns:
        The number of the command, see `wait_for_reply`.

    Raises:
        InputError: an unknown kind or payload.
        RunError: nobody trains in that folder, or its database is damaged or cannot be written.
    """
    _check_command(kind, payload)
    path = Path(path)
    with RunReader(path) as reader:
        database = reader.path
    if lock.holder(database.with_name("lock")) is None:
        raise RunError(
            "is not running, so nobody would take the command; start it with `ravine resume`", file=path
        )
    with schema.database_errors(database, "cannot be written"):
        connection = sqlite3.connect(
            f"{database.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=schema.BUSY_SECONDS,
            isolation_level=None,
        )
        try:
            cursor = connection.execute(
                "INSERT INTO commands(kind, payload, created) VALUES (?, ?, ?)",
                (kind, schema.encoded(payload), time.time()),
            )
            return int(cursor.lastrowid or 0)
        finally:
            connection.close()


def _check_command(kind: str, payload: dict[str, Any]) -> None:
    if kind not in schema.COMMAND_KINDS:
        close = difflib.get_close_matches(kind, schema.COMMAND_KINDS, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"expected one of {list(schema.COMMAND_KINDS)}"
        raise InputError(f"unknown command '{kind}'; {hint}")
    allowed = {"set": {"name", "value"}, "step": {"count"}}.get(kind, set())
    if extra := sorted(set(payload) - allowed):
        raise InputError(f"command '{kind}' takes no '{extra[0]}'")
    if kind == "set" and not (isinstance(payload.get("name"), str) and "value" in payload):
        raise InputError("command 'set' needs the name of a hyperparameter and a value")
    if kind == "step" and not (type(payload.get("count", 1)) is int and payload.get("count", 1) >= 1):
        raise InputError("command 'step' needs a count of at least 1")
    if kind == "set" and not isinstance(payload["value"], (bool, int, float, str)):
        raise InputError(f"value of '{payload['name']}' must be a number, a text or true or false")


def wait_for_reply(path: Path, command_id: int, timeout: float = 10.0) -> Command:
    """Waits until the trainer has taken a command.

    Args:
        path: the run folder.
        command_id: what `send_command` returned.
        timeout: longest wait in seconds.

    Raises:
        RunError: no answer in time, or no such command.
    """
    deadline = time.monotonic() + timeout
    with RunReader(path) as reader:
        while True:
            found = [command for command in reader.commands(command_id - 1) if command.id == command_id]
            if not found:
                raise RunError(f"holds no command {command_id}", file=reader.path)
            if found[0].status != "pending":
                return found[0]
            if time.monotonic() > deadline:
                raise RunError(f"the trainer has not answered within {timeout:g} seconds", file=path)
            time.sleep(0.01)
