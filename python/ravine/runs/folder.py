"""The run folder: ``runs/<name>/`` with experiment.toml, run.db, checkpoints/, log.txt and lock."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ravine.errors import InputError, RunError
from ravine.runs import files
from ravine.runs.lock import Holder, holder, locked
from ravine.runs.reader import RunReader
from ravine.runs.store import RunWriter

_LONGEST_NAME = 200
_PARTS = ("run.db", "experiment.toml", "checkpoints", "lock")


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run, and its lock.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     folder = RunFolder.create(Path(parent), "digits")
        ...     with folder.lock():
        ...         folder.write_experiment("seed = 7")
        ...     folder.name, folder.read_experiment()
        ('digits', 'seed = 7')
    """

    path: Path

    @classmethod
    def create(cls, parent: Path, name: str) -> RunFolder:
        """Makes ``parent/name``, or ``name-2``, ``name-3``...: never a folder that is already there.

        Raises:
            InputError: a name that is no folder name.
            RunError: the folder cannot be made.
        """
        _check_name(name)
        parent = Path(parent)
        path, number = parent / name, 1
        try:
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    path.mkdir()
                    break
                except FileExistsError:
                    number += 1
                    path = parent / f"{name}-{number}"
            (path / "checkpoints").mkdir()
        except OSError as error:
            raise RunError(f"cannot be made: {files.cause(error)}", file=path) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Opens a run folder that is there.

        Raises:
            RunError: no such folder, or not a run's; names a similar one if there is one.
        """
        path = Path(path)
        if not path.is_dir():
            close = difflib.get_close_matches(path.name, [run.name for run in run_paths(path.parent)], 1)
            hint = f"did you mean '{close[0]}'?" if close else "list the runs with `ravine runs`"
            raise RunError(f"no such run folder; {hint}", file=path)
        if not _is_run(path):
            raise RunError("is not a run folder: it holds neither run.db nor experiment.toml", file=path)
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def experiment_path(self) -> Path:
        return self.path / "experiment.toml"

    @property
    def database_path(self) -> Path:
        return self.path / "run.db"

    @property
    def checkpoints_path(self) -> Path:
        return self.path / "checkpoints"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock_path(self) -> Path:
        return self.path / "lock"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the run for this process, and clears away what killed writers left.

        Raises:
            RunError: another process holds it; the message tells its number, command and start.
        """
        with locked(self.lock_path):
            try:
                self.checkpoints_path.mkdir(exist_ok=True)
                files.remove_temporary(self.path)
                files.remove_temporary(self.checkpoints_path)
            except OSError as error:
                raise RunError(files.cause(error), file=error.filename or self.path) from error
            yield

    def holder(self) -> Holder | None:
        """The process that trains in this folder, or None."""
        return holder(self.lock_path)

    def write_experiment(self, text: str) -> None:
        """Writes experiment.toml, whole or not at all."""
        try:
            files.write_whole(self.experiment_path, text.encode())
        except OSError as error:
            raise RunError(f"cannot be written: {files.cause(error)}", file=self.experiment_path) from error

    def read_experiment(self) -> str:
        """Reads experiment.toml."""
        try:
            return self.experiment_path.read_text(encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot be read: {files.cause(error)}", file=self.experiment_path) from error
        except UnicodeDecodeError as error:
            raise RunError("is not text in UTF-8", file=self.experiment_path) from error

    def writer(self, columns: Sequence[str] | None = None) -> RunWriter:
        """Opens run.db for writing; hold the lock."""
        return RunWriter(self.database_path, columns)

    def reader(self) -> RunReader:
        """Opens run.db for reading, at any time."""
        return RunReader(self.database_path)


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs; ``state`` is also ``damaged``, then ``reason`` says why."""

    name: str
    path: Path
    state: str
    reason: str = ""
    step: int = 0
    epoch: float = 0.0
    epochs: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    started: float | None = None
    duration: float = 0.0


def list_runs(parent: Path) -> list[RunSummary]:
    """Summaries of the runs in a folder, the newest first; damaged runs are listed with their reason.

    Args:
        parent: the folder of run folders; one that is missing holds no runs.

    Raises:
        RunError: the folder cannot be read.
    """
    summaries = [summary(path) for path in run_paths(Path(parent))]
    return sorted(summaries, key=lambda run: (-(run.started or 0.0), run.name))


def run_paths(parent: Path) -> list[Path]:
    """The run folders in a folder; none where it is missing.

    Raises:
        RunError: it cannot be read.
    """
    try:
        with os.scandir(parent) as entries:
            paths = [
                Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"cannot be read: {files.cause(error)}", file=parent) from error
    return [path for path in paths if _is_run(path)]


def _is_run(path: Path) -> bool:
    return any(os.path.lexists(path / part) for part in _PARTS)


def summary(path: Path) -> RunSummary:
    """One line about a run folder, also about one that is damaged."""
    try:
        if not (path / "run.db").exists() and holder(path / "lock") is not None:
            return RunSummary(path.name, path, "running")
        with RunReader(path / "run.db", snapshot=True) as reader:
            state, metrics = reader.state(), reader.last_metrics()
        epochs = state.meta.get("epochs")
        return RunSummary(
            path.name,
            path,
            state.state,
            state.reason,
            state.step,
            state.epoch,
            float(epochs) if isinstance(epochs, (int, float)) else None,
            metrics,
            state.started,
            state.seconds,
        )
    except (RunError, OSError) as error:
        reason = error.message if isinstance(error, RunError) else files.cause(error)
        return RunSummary(path.name, path, "damaged", reason)


def _check_name(name: str) -> None:
    is_plain = name and name == Path(name).name and not name.startswith(".") and name.isprintable()
    if not is_plain or len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise InputError(
            f"{name!r} cannot name a run: use one plain folder name of at most {_LONGEST_NAME} bytes",
            key="name",
        )
