"""The runs in a folder, found again and again at little cost."""

from __future__ import annotations

import math
import os
import time
import tomllib
from pathlib import Path

from ravine.experiment import Experiment, to_toml
from ravine.runs import RunSummary
from ravine.runs.folder import run_paths, summary
from ravine.settings import Table

LARGEST_SETTINGS = 1 << 20
_Stamp = tuple[int, ...]


def metric_of(run: RunSummary) -> tuple[str, float] | None:
    """What tells runs apart at a glance: the accuracy of the test samples, or else the loss."""
    for split in ("test", "validation", "train"):
        for name in ("accuracy", "loss"):
            if (value := run.metrics.get(f"{split}.{name}")) is not None:
                return f"{split}.{name}", value
    return None


def metric_text(run: RunSummary) -> str:
    """That number, in few characters."""
    found = metric_of(run)
    return "" if found is None else metric_figure(found[1])


def metric_figure(value: float) -> str:
    """A loss or a share in few characters.

    Example:
        >>> metric_figure(0.96123), metric_figure(12345.0)
        ('0.9612', '1.23e+04')
    """
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.3g}"


class RunListing:
    """Summaries of all runs in a folder; only what has changed is read again. For one thread.

    Args:
        parent: the folder of runs.

    Attributes:
        complete: whether the last look came to an end; if not, the oldest runs are missing yet.
        seconds: of processor time that it took.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = Path(parent)
        self._known: dict[Path, tuple[_Stamp, RunSummary]] = {}
        self.complete = True
        self.seconds = 0.0

    def refresh(self, seconds: float = math.inf) -> list[RunSummary]:
        """The summaries now, the newest first.

        Args:
            seconds: of processor time, after which runs that were never looked at are left for the next call,
                the oldest ones.

        Raises:
            RunError: the folder cannot be read.
        """
        start = time.thread_time()
        found, fresh = {}, []
        for path in run_paths(self.parent):
            stamp = _stamp(path)
            known = self._known.get(path)
            if known is None:
                fresh.append((stamp, path))
                continue
            # A trainer that is killed changes no file: those that seem to run are looked at each time.
            if known[0] != stamp or known[1].state in ("running", "paused"):
                known = (stamp, summary(path))
            found[path] = known
        there = len(found) + len(fresh)
        begin = time.thread_time()
        for stamp, path in sorted(fresh, reverse=True):  # by the time of their last change
            found[path] = (stamp, summary(path))
            if time.thread_time() > begin + seconds:
                break
        self.complete = len(found) == there
        self._known = found
        self.seconds = time.thread_time() - start
        return sorted((run for _, run in found.values()), key=lambda run: (-(run.started or 0.0), run.name))


def _stamp(path: Path) -> _Stamp:
    stamp: list[int] = []
    for name in ("run.db", "run.db-wal", "lock"):
        try:
            status = os.stat(f"{path}/{name}")  # noqa: PTH116 - a Path takes longer than the call
            stamp += (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp.append(0)
    return tuple(stamp)


def experiment_table(experiment: Experiment) -> Table:
    """The settings of an experiment as plain values."""
    return tomllib.loads(to_toml(experiment))


def run_table(run: Path) -> Table | None:
    """The settings of a run as plain values; None where they cannot be read."""
    path = run / "experiment.toml"
    try:
        if path.stat().st_size > LARGEST_SETTINGS:
            return None
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
