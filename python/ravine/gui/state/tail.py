"""The record of one run, read piece by piece while it is written, and kept in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ravine.distributions import Distribution
from ravine.errors import RunError
from ravine.gui.state.evaluations import Evaluations
from ravine.gui.state.rank_records import RankRecords
from ravine.gui.state.records import BYTES, Records
from ravine.gui.state.smoothing import Smoothing
from ravine.runs import Command, Event, RunReader, RunState
from ravine.runs.lock import holder

XAxis = Literal["step", "epoch", "samples", "seconds"]
X_AXES: tuple[XAxis, ...] = get_args(XAxis)
READ_ROWS = 5_000  # at once
READ_VALUES = 1 << 20  # at once, where a run has many columns
MOST_LAYERS = 16  # whose distributions are kept
SPARE_ROWS = 1_000  # before and behind a detail: smoothing has begun, and a small move needs no reading
_Times = NDArray[np.float64]


class Detail:
    """A part of a long run, read again from its database because the view shows more than is kept.

    Args:
        steps: the first, and the last, which may be infinite.
        records: as far as they were read.
    """

    def __init__(self, steps: tuple[float, float], records: Records) -> None:
        self.steps = steps
        self.records = records
        self.read = False  # to its end
        self.last_step = int(steps[0]) - 1


class RunTail:
    """What is known of a run so far; `refresh` reads what is new. For one thread.

    Args:
        path: the run folder; it may not hold a database yet.
        size: bytes that its recorded steps may take; longer runs are kept in groups of steps (`Records`).

    Attributes:
        state: of the run, None before it was read.
        problem: why it cannot be read, or empty.
        version: grows with every change.
        columns: names of what is recorded at each step.
        records: the steps; their places are step, epoch and seconds.
        evaluations, events, commands: oldest first.
    """

    def __init__(self, path: Path, size: int = BYTES) -> None:
        self.path = Path(path)
        self.size = size
        self.version = 0
        self.problem = ""
        self.state: RunState | None = None
        self._reader: RunReader | None = None
        self._seen = -1  # version of the database
        self._generation = 0
        self._log_size = 0
        self._reset(())

    def _reset(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._numbers = {name: number for number, name in enumerate(columns)}
        self._layers: dict[str, dict[str, str]] = {}
        self.records = Records(len(columns), 3, self.size)
        self._last_step = -1
        self._detail: Detail | None = None
        self._wanted: tuple[float, float] | None = None  # steps of the detail that the last answers asked for
        self._outputs: dict[str, tuple[Records, list[Distribution]]] = {}
        self._ranks = RankRecords(0)
        self.evaluations = Evaluations()
        self.events: list[Event] = []
        self.commands: list[Command] = []

    def __len__(self) -> int:
        """Rows of the recorded steps read so far."""
        return len(self.records)

    @property
    def bytes(self) -> int:
        """Of memory that recorded steps take."""
        return self.records.bytes + (self._detail.records.bytes if self._detail else 0)

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
            self._seen = -1
            self.version += 1
        reader = self._reader
        version, ended = reader.version(), self._has_ended()
        more = False
        if version != self._seen or ended or self.problem:
            more = self._read_new(reader, deadline)
            self._seen = -1 if more else version
        elif self._log_has_grown():
            self.version += 1
        return self._read_detail(reader, deadline) or more

    def _has_ended(self) -> bool:
        """Whether the process of a run that goes on is gone: that changes no file."""
        return self.live and holder(self.path / "lock") is None

    def _read_new(self, reader: RunReader, deadline: float) -> bool:
        state = reader.state()
        if state.generation != self._generation:
            self._generation = state.generation
            self._reset(reader.columns)
        changed = state != self.state or bool(self.problem)
        self.state, self.problem = state, ""
        more = True
        while more:
            read, more = self._read_rows(reader, self.records, self._last_step)
            changed |= read != self._last_step
            self._last_step = read
            if time.monotonic() > deadline:
                break
        changed |= self._read_lists(reader)
        self.version += changed or self._log_has_grown()
        return more

    def _read_rows(
        self, reader: RunReader, records: Records, after: int, until: float = np.inf
    ) -> tuple[int, bool]:
        """Adds the steps after a step to some records; returns the last, and whether there are more."""
        count = max(1, min(READ_ROWS, READ_VALUES // max(1, len(self.columns))))
        rows = reader.tail(after, count)
        last = int(np.searchsorted(rows.steps, until, "right"))
        if last:
            places = np.stack([rows.steps[:last].astype(np.float64), rows.epochs[:last], rows.seconds[:last]])
            records.append(places, rows.values[:last].T)
        return int(rows.steps[last - 1]) if last else after, last == count

    def _read_detail(self, reader: RunReader, deadline: float) -> bool:
        """Goes on with the part that is looked at closely; True if there is more to read at once."""
        if self._wanted is None:
            return False
        if self._detail is None or not _covers(self._detail.steps, self._wanted):
            self._detail = Detail(self._wanted, Records(len(self.columns), 3, self.size))
        detail, before = self._detail, self._detail.last_step
        if detail.read and detail.last_step >= min(detail.steps[1], self._last_step):
            return False
        more = True
        while more:
            detail.last_step, more = self._read_rows(
                reader, detail.records, detail.last_step, detail.steps[1]
            )
            if time.monotonic() > deadline:
                break
        if not more:
            self.version += not detail.read or detail.last_step != before
            detail.read = True
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
        changed = self.evaluations.take(reader.evaluations(self.evaluations.newest_step - 1))
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

    def closely(
        self, axis: XAxis, limits: tuple[float, float] | None, logarithmic: bool, width: int
    ) -> Records:
        """The records that a view shows best: those of a part where what is kept of all is too coarse.

        A part is read by the next calls of `refresh`; up to then the view shows what is there.

        Args:
            axis: the x axis.
            limits: of the view in display coordinates; None for all.
            logarithmic: the axis.
            width: pixel columns.
        """
        records = self.records
        if limits is None:
            self._detail = self._wanted = None
        if records.exact or limits is None:
            return records
        low, high = np.power(10.0, limits) if logarithmic else limits
        x, steps = self.x(axis), records.places(0)
        first, last = int(np.searchsorted(x, low)), int(np.searchsorted(x, high))
        if last - first >= 2 * width:
            return records
        room = (records.most // records.stride - (last - first)) // 2 - 1  # that it stands alone, too
        spare = max(1, min(max((last - first) // 2, SPARE_ROWS // records.stride + 1), room))
        known = self._detail
        inside = float(steps[max(first - 1, 0)]), float(steps[min(last + 1, len(steps) - 1)])
        if known is None or not _covers(known.steps, inside):
            begin = float(steps[first - spare]) if first > spare else 0.0
            self._wanted = begin, float(steps[last + spare]) if last + spare < len(steps) else np.inf
        return known.records if known is not None and known.read and _covers(known.steps, inside) else records

    def x(self, axis: XAxis, records: Records | None = None) -> _Times:
        """The place of every row of the records on an axis [n]."""
        records = self.records if records is None else records
        if axis == "samples":
            return records.places(1) * self.samples_per_epoch
        return records.places({"step": 0, "epoch": 1, "seconds": 2}[axis])

    @property
    def samples_per_epoch(self) -> int:
        """Training samples; 1 where the run does not say."""
        data = self.state.meta.get("data") if self.state else None
        samples = data.get("train") if isinstance(data, dict) else None
        return samples if isinstance(samples, int) and samples > 0 else 1

    def evaluated(self, split: str, metric: str, axis: XAxis) -> tuple[_Times, _Times]:
        """The place of evaluations on an axis, and the values of a metric, each [n]."""
        steps, epochs, values = self.evaluations.series(split, metric)
        if axis == "epoch":
            return epochs, values
        if axis == "samples":
            return epochs * self.samples_per_epoch, values
        return self.steps_x(axis, steps), values

    def steps_x(self, axis: XAxis, steps: Sequence[float] | _Times) -> _Times:
        """The place of some steps on an axis [n]."""
        places = np.array(steps, np.float64)
        if axis == "step" or len(self.records) == 0:
            return places
        found: _Times = np.interp(places, self.records.places(0), self.x(axis))
        return found

    def number(self, name: str) -> int:
        """Of a column."""
        return self._numbers[name]

    def column(self, name: str) -> NDArray[np.float32]:
        """Recorded values of a column [n]; means of groups in a long run."""
        return self.records.mean(self._numbers[name])

    def smoothed(self, name: str, smoothing: Smoothing) -> NDArray[np.float32]:
        """A column smoothed [n]; only what is new is computed."""
        return self.records.smoothed(self._numbers[name], smoothing)

    def layers(self, statistic: str) -> dict[str, str]:
        """Layers that record a statistic, in the order of the network, with their columns."""
        if statistic not in self._layers:
            ending = f".{statistic}"
            self._layers[statistic] = {
                column.removesuffix(ending): column for column in self.columns if column.endswith(ending)
            }
        return self._layers[statistic]

    def outputs(
        self, layer: str, percentiles: Sequence[int]
    ) -> tuple[_Times, NDArray[np.float32], Distribution | None]:
        """How the output of a layer was distributed; read when it is asked for.

        Args:
            layer: its name.
            percentiles: which; the same at each call.

        Returns:
            Steps [n], percentiles [percentiles, n], and the newest distribution.
        """
        if layer not in self._outputs:
            self._outputs[layer] = Records(len(percentiles), 1, 1 << 20), []
        known, newest = self._outputs[layer] = self._outputs.pop(layer)
        while len(self._outputs) > MOST_LAYERS:
            self._outputs.pop(next(iter(self._outputs)))
        if self._reader is not None:
            with suppress(RunError):
                last = newest[0].step if newest else -1
                found = self._reader.distributions(layer, "output", after_step=last)
                if found:
                    steps = np.array([[one.step for one in found]], np.float64)
                    known.append(steps, np.array([one.percentile(percentiles) for one in found]).T)
                    newest[:] = found[-1:]
        values = known.means(range(len(percentiles)))
        return known.places(0), values, newest[0] if newest else None

    @property
    def hosts(self) -> list[str]:
        """Names of the ranks' hosts, in order; empty where a run has one rank alone."""
        hosts = self.state.meta.get("hosts") if self.state else None
        names = [str(host) for host in hosts] if isinstance(hosts, list) else []
        return names if len(names) > 1 else []

    def ranks(self) -> RankRecords:
        """What the ranks did since there were another number of them; read when it is asked for."""
        if self._reader is not None:
            with suppress(RunError):
                while len((found := self._reader.rank_times(self._ranks.last_step, READ_ROWS)).steps):
                    if found.seconds.shape[1] != self._ranks.count:
                        self._ranks = RankRecords(found.seconds.shape[1])
                    self._ranks.append(found)
        return self._ranks

    def close(self) -> None:
        """Lets go of the database."""
        self._close_reader()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _covers(steps: tuple[float, float], inside: tuple[float, float]) -> bool:
    return steps[0] <= inside[0] and inside[1] <= steps[1]
