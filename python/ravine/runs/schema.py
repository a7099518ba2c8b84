"""The tables of run.db and the rules that its writer and its readers share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ravine.distributions import DistributionRow
from ravine.errors import RunError

VERSION = 1
BUSY_SECONDS = 5.0
_DAMAGED = "the file is damaged; take it from a copy, or start a new run"
TABLES = ("meta", "columns", "steps", "evaluations", "events", "commands", "checkpoints")
CREATE = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE columns(position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE steps(step INTEGER PRIMARY KEY, epoch REAL NOT NULL, seconds REAL NOT NULL,
    "values" BLOB NOT NULL);
CREATE TABLE evaluations(step INTEGER NOT NULL, epoch REAL NOT NULL, split TEXT NOT NULL,
    metrics TEXT NOT NULL, PRIMARY KEY(step, split)) WITHOUT ROWID;
CREATE TABLE events(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, seconds REAL NOT NULL, kind TEXT NOT NULL,
    payload TEXT NOT NULL);
CREATE TABLE commands(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, payload TEXT NOT NULL,
    created REAL NOT NULL, taken_step INTEGER, status TEXT NOT NULL DEFAULT 'pending',
    reply TEXT NOT NULL DEFAULT '');
CREATE INDEX commands_pending ON commands(id) WHERE status = 'pending';
CREATE TABLE checkpoints(step INTEGER NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, kind TEXT NOT NULL,
    metrics TEXT NOT NULL, PRIMARY KEY(step, kind)) WITHOUT ROWID;
"""
# Not in runs of the first versions: a writer makes it, a reader does without.
CREATE_DISTRIBUTIONS = """
CREATE TABLE IF NOT EXISTS distributions(step INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    minimum REAL NOT NULL, maximum REAL NOT NULL, counts BLOB NOT NULL, PRIMARY KEY(name, kind, step))
"""
# For each recorded step of a job of several ranks: seconds, float32 [ranks, 4], see rank_times.NAMES. The
# ranks' hosts are in meta as `hosts`, a list of names. Made and done without like distributions.
CREATE_RANKS = """
CREATE TABLE IF NOT EXISTS ranks(step INTEGER PRIMARY KEY, seconds BLOB NOT NULL)
"""

CommandKind = Literal["pause", "resume", "stop", "step", "checkpoint", "set"]
CommandStatus = Literal["pending", "done", "refused", "expired"]
RunStateName = Literal["running", "paused", "finished", "stopped", "crashed"]
COMMAND_KINDS: tuple[CommandKind, ...] = ("pause", "resume", "stop", "step", "checkpoint", "set")
STATES: tuple[RunStateName, ...] = ("running", "paused", "finished", "stopped", "crashed")


@dataclass(frozen=True)
class Command:
    """A wish sent to a running trainer. ``payload`` of ``set`` is ``{"name": ..., "value": ...}``."""

    id: int
    kind: str
    payload: dict[str, Any]
    created: float
    taken_step: int | None = None
    status: str = "pending"
    reply: str = ""


COMMAND_FIELDS = "id, kind, payload, created, taken_step, status, reply"


def command_of(row: tuple[Any, ...]) -> Command:
    taken = None if row[4] is None else int(row[4])
    return Command(
        int(row[0]), str(row[1]), decoded_object(row[2]), float(row[3]), taken, str(row[5]), str(row[6])
    )


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one split (``train``, ``validation``, ``test``) after a step."""

    step: int
    epoch: float
    split: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Event:
    """Something that happened in a run: an edit, a pause, a warning."""

    id: int
    step: int
    seconds: float
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointRow:
    """A checkpoint as run.db knows it; the file is relative to the run folder."""

    step: int
    file: str
    sha256: str
    kind: str
    metrics: dict[str, float]


def distribution_of(row: tuple[Any, ...]) -> DistributionRow:
    if not isinstance(row[5], bytes):
        raise ValueError(f"the distribution of '{row[1]}' at step {row[0]} holds no counts")
    return DistributionRow(int(row[0]), str(row[1]), str(row[2]), float(row[3]), float(row[4]), row[5])


def encoded(value: Any) -> str:
    """JSON in one line; NaN and Infinity stay, as Python's json writes them: a diverged loss is a result."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def decoded_object(text: Any) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def decoded_metrics(text: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in decoded_object(text).items()}


def encoded_metrics(metrics: Mapping[str, float]) -> str:
    return encoded({name: float(value) for name, value in metrics.items()})


@contextmanager
def database_errors(path: Path, action: str) -> Iterator[None]:
    """Turns what SQLite raises into a RunError that names the file and the cause."""
    try:
        yield
    except sqlite3.Error as error:
        raise RunError(f"{action}: {_cause(error)}", file=path) from error
    except UnicodeDecodeError as error:  # SQLite's own message may quote what is no text
        raise RunError(f"{action}: {_DAMAGED}", file=path) from error


def _cause(error: sqlite3.Error) -> str:
    text = str(error) or type(error).__name__
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    advice = {
        sqlite3.SQLITE_FULL: "free some space, then continue with `ravine resume`",
        sqlite3.SQLITE_IOERR: "check the disk and its free space",
        sqlite3.SQLITE_READONLY: "choose a folder that can be written",
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_BUSY: "another program holds the database; close it",
        sqlite3.SQLITE_INTERRUPT: "the file is damaged: it claims more rows than it can hold",
        sqlite3.SQLITE_CANTOPEN: "check that the folder exists and can be read",
    }.get(code)
    return f"{text}; {advice}" if advice else text


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raises RunError unless the database is a run's, of a version that is understood.

    Views and virtual tables in the place of tables are refused: they could run anything.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    ).fetchall()
    missing = sorted(set(TABLES) - {row[0] for row in rows})
    if version > VERSION:
        raise RunError(
            f"was written by a newer Ravine (schema {version}, this one reads {VERSION}); upgrade Ravine",
            file=path,
        )
    if version < 1 or missing:
        what = f"table '{missing[0]}' is missing" if missing else f"schema version {version} is unknown"
        raise RunError(f"is not the database of a run, or is damaged: {what}", file=path)


def read_columns(connection: sqlite3.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT position, name FROM columns ORDER BY position").fetchall()
    if [row[0] for row in rows] != list(range(len(rows))) or not all(isinstance(row[1], str) for row in rows):
        raise ValueError("the list of columns has gaps")
    return tuple(row[1] for row in rows)
