"""The record of one run, read piece by piece while it is written."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ravine.distributions import Distribution
from ravine.errors import RunError
from ravine.gui.state.growing import GrowingRows
from ravine.gui.state.smoothing import Smoother, Smoothing
from ravine.runs import Command, Evaluation, Event, RunReader, RunState

XAxis = Literal["step", "epoch", "samples", "seconds"]
X_AXES: tuple[XAxis, ...] = get_args(XAxis)
READ_ROWS = 5_000  # at once
MOST_SMOOTHED = 64  # curves whose smoothed values are kept


class RunTail:
    """What is known of a run so far; `refresh` reads what is new. For one thread.

    Args:
        path: the run folder; it may not hold a database yet.

    Attributes:
        state: of the run, None before it was read.
        problem: why it cannot be read, or empty.
        version: grows with every change.
        columns: names of what is recorded at each step.
        evaluations, events, commands: oldest first.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.version = 0
        self.problem = ""
        self.state: RunState | None = None
        self._reader: RunReader | None = None
        self._generation = 0
        self._log_size = 0
        self._reset(())

    def _reset(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._times = GrowingRows(np.float64, 3)  # step, epoch, seconds
        self._values = GrowingRows(np.float32, max(1, len(columns)))
        self._smoothed: dict[tuple[str, Smoothing], tuple[Smoother, GrowingRows]] = {}
        self._distributions: dict[str, list[Distribution]] = {}
        self._percentiles: dict[tuple[str, tuple[int, ...]], list[NDArray[np.float64]]] = {}
        self._evaluations: dict[tuple[int, str], Evaluation] = {}
        self.events: list[Event] = []
        self.commands: list[Command] = []

    def __len__(self) -> int:
        """Recorded steps read so far."""
        return len(self._times)

    @property
    def evaluations(self) -> list[Evaluation]:
        return list(self._evaluations.values())

    @property
    def live(self) -> bool:
        """Whether the run may still write."""
        return self.state is None or self.state.state in ("running", "paused")

    def refresh(self, seconds: float = 0.05) -> bool:
        """Reads what is new, for at most about so long; True if there is more to read at once."""
        deadline = time.monotonic() + seconds
        try:
            return self._read(deadline)
        except RunError as error:
            self._close_reader()
            if error.message != self.problem:
                self.problem = error.message
                self.version += 1
            return False

    def _read(self, deadline: float) -> bool:
        if self._reader is None:
            self._reader = RunReader(self.path)
            self._reset(self._reader.columns)
            self.version += 1
        reader = self._reader
        state = reader.state()
        if state.generation != self._generation:
            self._generation = state.generation
            self._reset(reader.columns)
        changed = state != self.state or bool(self.problem)
        self.state, self.problem = state, ""
        more = True
        while more:
            last = int(self._times[0][-1]) if len(self._times) else -1
            rows = reader.tail(last, READ_ROWS)
            more = len(rows.steps) == READ_ROWS
            if len(rows.steps):
                self._times.append(np.stack([rows.steps.astype(np.float64), rows.epochs, rows.seconds]))
                if self.columns:
                    self._values.append(rows.values.T)
                changed = True
            if time.monotonic() > deadline:
                break
        changed |= self._read_lists(reader)
        self.version += changed or self._log_has_grown()
        return more

    def _log_has_grown(self) -> bool:
        try:
            size = (self.path / "log.txt").stat().st_size
        except OSError:
            size = 0
        grown, self._log_size = size != self._log_size, size
        return grown

    def _read_lists(self, reader: RunReader) -> bool:
        # The splits of one step are written one after the other: the last step is looked at again.
        newest = max((step for step, _ in self._evaluations), default=0)
        found = {(one.step, one.split): one for one in reader.evaluations(newest - 1)}
        changed = any(self._evaluations.get(key) != one for key, one in found.items())
        self._evaluations.update(found)
        events = reader.events(self.events[-1].id if self.events else 0)
        self.events += events
        # Commands are answered later than they are sent.
        answered = 0
        for command in self.commands:
            if command.status == "pending":
                break
            answered = command.id
        kept = [command for command in self.commands if command.id <= answered]
        commands = kept + reader.commands(answered)
        changed |= bool(events) or commands != self.commands
        self.commands = commands
        return changed

    def x(self, axis: XAxis) -> NDArray[np.float64]:
        """The place of every recorded step on an axis [n]."""
        if axis == "samples":
            return self.times(1) * self.samples_per_epoch
        return self.times({"step": 0, "epoch": 1, "seconds": 2}[axis])

    def times(self, row: int) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self._times[row]  # type: ignore[assignment]
        return values

    @property
    def samples_per_epoch(self) -> int:
        """Training samples; 1 where the run does not say."""
        data = self.state.meta.get("data") if self.state else None
        samples = data.get("train") if isinstance(data, dict) else None
        return samples if isinstance(samples, int) and samples > 0 else 1

    def evaluations_x(self, axis: XAxis, found: list[Evaluation]) -> NDArray[np.float64]:
        """The place of evaluations on an axis [n]."""
        if axis == "epoch":
            return np.array([one.epoch for one in found])
        if axis == "samples":
            return np.array([one.epoch for one in found]) * self.samples_per_epoch
        return self.steps_x(axis, [one.step for one in found])

    def steps_x(self, axis: XAxis, steps: list[int]) -> NDArray[np.float64]:
        """The place of some steps on an axis [n]."""
        places = np.array(steps, np.float64)
        if axis == "step" or len(self._times) == 0:
            return places
        found: NDArray[np.float64] = np.interp(places, self.times(0), self.x(axis))
        return found

    def column(self, name: str) -> NDArray[np.float32]:
        """Recorded values of a column [n]."""
        values: NDArray[np.float32] = self._values[self.columns.index(name)]  # type: ignore[assignment]
        return values

    def table(self, names: list[str]) -> NDArray[np.float32]:
        """Recorded values of columns [names, n]."""
        values: NDArray[np.float32] = self._values.values[  # type: ignore[assignment]
            [self.columns.index(name) for name in names]
        ]
        return values

    def smoothed(self, name: str, smoothing: Smoothing) -> NDArray[np.float64]:
        """A column smoothed [n]; only what is new is computed."""
        key = (name, smoothing)
        if key not in self._smoothed:
            self._smoothed[key] = (Smoother(smoothing), GrowingRows(np.float64))
        smoother, done = self._smoothed[key] = self._smoothed.pop(key)
        done.append(smoother.extend(self.column(name)[len(done) :]))
        while len(self._smoothed) > MOST_SMOOTHED:
            self._smoothed.pop(next(iter(self._smoothed)))
        values: NDArray[np.float64] = done[0]  # type: ignore[assignment]
        return values

    def layers(self, statistic: str) -> dict[str, str]:
        """Layers that record a statistic, in the order of the network, with their columns."""
        ending = f".{statistic}"
        return {column.removesuffix(ending): column for column in self.columns if column.endswith(ending)}

    def distributions(self, layer: str) -> list[Distribution]:
        """How the output of a layer was distributed, oldest first; read when it is asked for."""
        known = self._distributions.setdefault(layer, [])
        if self._reader is not None:
            with suppress(RunError):
                last = known[-1].step if known else -1
                known += self._reader.distributions(layer, "output", after_step=last)
        return known

    def percentiles(self, layer: str, wanted: tuple[int, ...]) -> NDArray[np.float64]:
        """Percentiles of the output of a layer where it was recorded [n, wanted]."""
        found, known = self.distributions(layer), self._percentiles.setdefault((layer, wanted), [])
        known += [one.percentile(wanted) for one in found[len(known) :]]
        return np.array(known, np.float64).reshape(len(known), len(wanted))

    def close(self) -> None:
        """Lets go of the database."""
        self._close_reader()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
