"""All that the app knows, and what it does: one object that the widgets show and ask."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w
from PySide6 import QtCore

from ravine.devices import Device, devices
from ravine.errors import RunError
from ravine.gui.state.check import Check, Checker, Problem
from ravine.gui.state.compare import Group, Grouping
from ravine.gui.state.data_files import OpenedData, open_data
from ravine.gui.state.draft import Draft, experiment_text, starter, with_whole_paths
from ravine.gui.state.feed import Feed
from ravine.gui.state.preferences import Preferences, load_preferences, save_preferences
from ravine.gui.state.run_list import RunListing
from ravine.gui.state.status import RunStatus
from ravine.gui.state.trainers import Launch, Trainers, free_run, resume_launch, train_launch
from ravine.gui.state.trouble import Kind, kind_of
from ravine.gui.state.worker import Failure, Worker
from ravine.runs import RunSummary, files, send_command
from ravine.runs.schema import CommandKind
from ravine.training.checkpoint import saved_files
from ravine.training.resume import REPLACED

LIST_SECONDS = 1.0  # between two looks at the folder of runs
LIST_SHARE = 0.01  # of a processor that these looks may take
FIRST_SECONDS = 0.1  # of reading, after which the newest runs of a large folder are shown
MORE_SECONDS = 0.5  # of reading, after which more of them are
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Notice:
    """A line of the problems bar.

    Args:
        level: error, warning or note.
        text: what, where, and what to do.
        run: that it is about, if it is about one.
        key: in the experiment.
        resumable: whether the run can go on.
        trouble: what kind it is of, where that can be explained.
    """

    level: Level
    text: str
    run: Path | None = None
    key: str = ""
    resumable: bool = False
    trouble: Kind = ""


class App(QtCore.QObject):
    """The state of the app.

    Args:
        preferences_path: the file of what is remembered.
        runs: the folder of runs; None takes the one that is remembered, or `runs` here.
    """

    draft_changed = QtCore.Signal()
    checked = QtCore.Signal()
    runs_changed = QtCore.Signal()
    current_changed = QtCore.Signal()
    status_changed = QtCore.Signal()
    compared_changed = QtCore.Signal()
    notices_changed = QtCore.Signal()
    data_changed = QtCore.Signal()  # a file of data was looked into, or could not be
    ended = QtCore.Signal(object)  # a trainer of ours: `Ended`
    devices_changed = QtCore.Signal()
    work_done = QtCore.Signal(object, object)  # what tabs have asked the background worker for

    def __init__(self, preferences_path: Path, runs: Path | None = None) -> None:
        super().__init__()
        self.preferences_path = preferences_path
        self.preferences: Preferences = load_preferences(preferences_path)
        remembered = self.preferences.runs_folder
        self.runs_folder = (runs or Path(remembered or "runs")).absolute()
        folder = Path(self.preferences.draft_folder or Path.cwd())
        self.draft = Draft(self.preferences.draft or starter(), folder)
        self.draft.listeners.append(self._on_draft)
        self.check: Check | None = None
        self.checking = False
        self.runs: list[RunSummary] = []
        self.groups: tuple[tuple[Group, str], ...] = ()  # with results; empty where runs are not grouped
        self.listed = False
        self.current: Path | None = None
        self.compared: list[Path] = []
        self.status: RunStatus | None = None
        self.notices: list[Notice] = []
        self.opened: OpenedData | None = None
        self.opening: Path | None = None
        self.data_error = ""  # why the last file could not be opened as data
        self.devices: tuple[Device, ...] = (Device("cpu"),)  # with those of this machine, once they are found
        self.devices_found = False
        self.trainers = Trainers()
        self.feed = Feed()
        self.checker = Checker()  # for the background worker
        self.background = Worker("background")
        self.background.done.connect(self._on_done)
        self._listing = RunListing(self.runs_folder)
        self._grouping = Grouping()
        self._listed_at = 0.0
        self._refused: set[tuple[Path, int]] = set()
        self._told: set[tuple[Path, Kind]] = set()
        self.background.submit("devices", devices)
        self._on_draft()

    # ---- the experiment ----

    def _on_draft(self) -> None:
        self.checking = True
        table, folder = self.draft.table, self.draft.folder
        self.background.submit("check", lambda: (table, self.checker.check(table, folder)))
        self.draft_changed.emit()

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the draft."""
        if self.draft.error:
            return [Problem("", self.draft.error)]
        return list(self.check.problems) if self.check else []

    @property
    def can_start(self) -> bool:
        """Whether the draft is known to be good."""
        return not self.draft.error and not self.checking and self.check is not None and not self.check.errors

    def open_experiment(self, source: str | Path) -> None:
        """Takes an experiment, or that of a run, as the draft.

        Raises:
            InputError: it cannot be used; the draft stays as it was.
        """
        text, folder = experiment_text(source)
        self.draft.replace(text, folder, f"open {Path(source).name}")
        if Path(source).exists():
            self.preferences.remember(Path(source).absolute())

    def save_experiment(self, path: Path) -> None:
        """Writes the draft into a file.

        Raises:
            RunError: it cannot be written.
        """
        try:
            files.write_whole(path, self.draft.text.encode())
        except OSError as error:
            raise RunError(f"cannot be written: {files.cause(error)}", file=path) from error
        self.preferences.remember(path.absolute())

    def open_data(self, path: Path, target: str = "") -> None:
        """Looks into a file of data, in the background, and makes the draft one that trains on it.

        Args:
            path: of the file or folder.
            target: the column of a table that is to be predicted.
        """
        table = self.draft.table
        self.opening, self.data_error = path, ""
        self.background.submit("open data", lambda: open_data(path, table, self.checker, target))
        self.data_changed.emit()

    def _on_data(self, result: OpenedData | Failure) -> None:
        path, self.opening = self.opening, None
        if isinstance(result, Failure):
            self.data_error = " ".join(str(result.error).split())
            self._failed(result)
        else:
            self.opened = result
            self.preferences.remember(result.path)
            self.draft.set_table(result.table, f"open {path.name if path else result.path.name}")
        self.data_changed.emit()

    # ---- runs ----

    def set_runs_folder(self, folder: Path) -> None:
        """Looks for runs, and makes them, in another folder."""
        self.runs_folder = folder.absolute()
        self.preferences.runs_folder = str(self.runs_folder)
        self._listing = RunListing(self.runs_folder)
        self.refresh_runs()

    def open_run(self, path: Path) -> None:
        """Attaches to a run folder, wherever it is."""
        path = path.absolute()
        self.preferences.remember(path)
        if path.parent != self.runs_folder:
            self.set_runs_folder(path.parent)
        self.select(path)

    def select(self, run: Path | None) -> None:
        """Shows a run."""
        if run != self.current:
            self.current, self.status = run, None
            self.current_changed.emit()
            self.status_changed.emit()

    def compare(self, runs: list[Path]) -> None:
        """Takes these runs into the comparison, and no others."""
        self.compared = list(dict.fromkeys(runs))
        self.compared_changed.emit()

    def colour_number(self, run: Path) -> int:
        """The number of a run's colour; it stays the run's."""
        known = self.preferences.colours
        if str(run) not in known:
            known[str(run)] = (max(known.values()) + 1) if known else 0
        return known[str(run)]

    def refresh_runs(self) -> None:
        """Looks at the folder of runs."""
        self._listed_at = time.monotonic()
        listing, seconds = self._listing, FIRST_SECONDS if self._listing.complete else MORE_SECONDS
        self.background.submit("runs", lambda: (listing, listing.refresh(seconds)))

    def group_runs(self, on: bool) -> None:
        """Lists runs by their settings, those that differ by name and seed alone together; or one by one."""
        self.preferences.grouped = on
        if on:
            runs = list(self.runs)
            self.background.submit("groups", lambda: self._grouping.of(runs))
        elif self.groups:
            self.groups = ()
            self.runs_changed.emit()

    def _on_devices(self, result: list[Device] | Failure) -> None:
        if isinstance(result, Failure):
            self._failed(result)
            return
        self.devices, self.devices_found = tuple(result), True
        self.devices_changed.emit()

    def launch(self, ranks: int = 1) -> Launch:
        """The command that trains the draft, with the names it would have now."""
        name = self.check.experiment.name if self.check and self.check.experiment else "run"
        run = free_run(self.runs_folder, name)
        return train_launch(self._draft_path(run.name), run, ranks=ranks)

    def _draft_path(self, name: str) -> Path:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return folder / "ravine" / "experiments" / f"{name}.toml"

    def start(self, ranks: int = 1) -> Path:
        """Trains the draft in a process of its own.

        Raises:
            RunError: it cannot be started.
        """
        launch = self.launch(ranks)
        self.write_draft(Path(launch.words[1]))
        self.trainers.start(launch)
        self._after_start(launch.run)
        return launch.run

    def write_draft(self, path: Path) -> None:
        """Writes the draft where it is started from, with paths of data that do not depend on the folder.

        Raises:
            RunError: it cannot be written.
        """
        table = with_whole_paths(self.draft.table, self.draft.folder)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, tomli_w.dumps(table).encode())
        except OSError as error:
            raise RunError(f"cannot be written: {files.cause(error)}", file=path) from error

    def resume(self, run: Path, changes: dict[str, float] | None = None, checkpoint: str = "last") -> None:
        """Goes on with a run from a checkpoint, in a process of its own; with as many ranks as it had here.

        Args:
            run: its folder.
            changes: settings that are others from here on, such as {"training.epochs": 30}.
            checkpoint: which one; what came after it is dropped.

        Raises:
            RunError: it cannot be started.
        """
        hosts = self.status.hosts if self.status is not None and self.status.run == run else ()
        ranks = max(1, len(hosts)) if set(hosts) <= {socket.gethostname()} else 1
        self.trainers.start(resume_launch(run, changes or {}, ranks, checkpoint))
        self._after_start(run)

    def list_checkpoints(self, run: Path) -> None:
        """Looks for the checkpoints of a run, in the background; `work_done` has them."""
        self.background.submit(("checkpoints", run), lambda: saved_files(run))

    def _after_start(self, run: Path) -> None:
        self.notices = [notice for notice in self.notices if notice.run != run]
        self.notices_changed.emit()
        self.preferences.remember(run)
        if self.current == run:
            self.status = None
        self.select(run)
        self.refresh_runs()

    def command(self, kind: CommandKind, **payload: Any) -> None:
        """Sends a command to the trainer of the current run; what it answers shows in the status."""
        if self.current is not None:
            run = self.current
            self.background.submit(
                ("command", kind, time.monotonic()), lambda: send_command(run, kind, **payload)
            )

    # ---- what happens ----

    def tick(self) -> None:
        """Looks after processes and the list; called again and again."""
        for ended in self.trainers.ended():
            if ended.reason:
                self.notify(crash_notice(ended.run, ended.reason, resumable=_has_record(ended.run)))
            self.ended.emit(ended)
            self.refresh_runs()
        if time.monotonic() - self._listed_at > max(LIST_SECONDS, self._listing.seconds / LIST_SHARE):
            self.refresh_runs()

    def set_status(self, status: RunStatus) -> None:
        """Takes the newest status of the current run."""
        if status.run != self.current:
            return
        before = self.status
        self.status = status
        for command in status.commands:
            key = (status.run, command.id)
            if command.status == "refused" and key not in self._refused:
                self._refused.add(key)
                # What a restored checkpoint has undone is no fault.
                if time.time() - command.created < 60 and command.reply != REPLACED:
                    self.notify(Notice("error", f"{status.run.name}: {command.reply}", status.run))
        crashed = status.state == "crashed" and (before is None or before.state != "crashed")
        known = any(notice.run == status.run and notice.resumable for notice in self.notices)
        if crashed and not known and status.run not in self.trainers:
            self.notify(crash_notice(status.run, status.reason))
        if status.broken and (before is None or not before.broken):
            self.notify(
                Notice(
                    "warning",
                    f"{status.run.name}: the loss is NaN or Inf at step {status.broken:,}",
                    status.run,
                    trouble="not finite",
                )
            )
        if status.trouble and (status.run, status.trouble) not in self._told:
            self._told.add((status.run, status.trouble))
            text = f"{status.run.name}: {status.trouble_text}"
            self.notify(Notice("warning", text, status.run, trouble=status.trouble))
        self.status_changed.emit()

    def notify(self, notice: Notice) -> None:
        """Adds a line to the problems bar; each stands there once."""
        others = [other for other in self.notices if (other.run, other.text) != (notice.run, notice.text)]
        self.notices = [notice, *others][:50]
        self.notices_changed.emit()

    def dismiss(self, notice: Notice) -> None:
        """Takes a line off the problems bar."""
        self.notices = [other for other in self.notices if other != notice]
        self.notices_changed.emit()

    def _on_done(self, key: object, result: Any) -> None:
        if key == "check":
            if isinstance(result, Failure):
                self._failed(result)
            elif result[0] is self.draft.table:
                self.check, self.checking = result[1], False
                self.checked.emit()
        elif key == "devices":
            self._on_devices(result)
        elif key == "runs":
            self._on_runs(result)
        elif key == "groups":
            if isinstance(result, Failure):
                self._failed(result)
            elif self.preferences.grouped:
                self.groups = result
                self.runs_changed.emit()
        elif key == "open data":
            self._on_data(result)
        elif isinstance(key, tuple) and key[0] in ("command", "export"):
            if isinstance(result, Failure):
                self._failed(result)
        else:
            self.work_done.emit(key, result)

    def _on_runs(self, result: tuple[RunListing, list[RunSummary]] | Failure) -> None:
        self.listed = True
        if isinstance(result, Failure):
            self._failed(result)
            return
        listing, runs = result
        if listing is not self._listing:  # of another folder, meanwhile
            return
        if not listing.complete:
            self.refresh_runs()
        if runs != self.runs:
            self.runs = runs
            self.group_runs(self.preferences.grouped)
            self.runs_changed.emit()

    def _failed(self, failure: Failure) -> None:
        if failure.trace:
            print(failure.trace)  # for who reports it; the window shows one line
        self.notify(Notice("error", str(failure.error), self.current))

    def stop_all(self) -> list[Path]:
        """Lets all trainers of this app save and stop; returns their runs."""
        running = self.trainers.running
        for run in running:
            with contextlib.suppress(ProcessLookupError):
                self.trainers.terminate(run)
        return running

    def save_preferences(self) -> str:
        """Writes what is remembered, the draft too; returns why that failed, or an empty text."""
        self.preferences.draft = self.draft.text
        self.preferences.draft_folder = str(self.draft.folder)
        return save_preferences(self.preferences, self.preferences_path)

    def close(self) -> None:
        """Ends the threads; trainers go on."""
        self.background.close()
        self.checker.close()
        self.feed.close()
        self.trainers.release()


def crash_notice(run: Path, reason: str, *, resumable: bool = True, level: Level = "error") -> Notice:
    """What is said of a run that broke off."""
    return Notice(level, f"{run.name}: {reason}", run, "", resumable, kind_of(reason))


def _has_record(run: Path) -> bool:
    return (run / "run.db").exists()
