"""What the ranks of a training did with their time: gathered at rank 0, recorded; a slow one is named."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable as Function
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import RavineWarning
from ravine.runs.rank_times import NAMES, straggler
from ravine.training.recorder import WRITE_SECONDS, Recorder
from ravine.training.trainer import Callback, Trainer

LOOK_SECONDS = 10.0  # of training that a rank must have been slow for
QUIET_SECONDS = 60.0  # after a word about it


class RankTelemetry(Callback):
    """Tells rank 0 the times of this rank's steps; there, records those of all.

    Args:
        recorder: of the run, on rank 0; None elsewhere.
        clock: seconds.
    """

    def __init__(self, recorder: Recorder | None, clock: Function[[], float] = time.monotonic) -> None:
        self.recorder = recorder
        self._clock = clock
        self._rows: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []  # to be written
        self._seen: list[NDArray[np.float32]] = []  # since the last look for a slow rank
        self._last_write = self._last_look = clock()
        self._quiet_until = 0.0

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        steps, seconds = trainer.network.drain_times()
        if len(steps):
            # All ranks record the same steps.
            numbers = steps.tobytes() if trainer.ranks.leads else b""
            trainer.meeting.tell(steps=numbers, times=seconds.astype(np.float32).tobytes())

    def on_news(self, trainer: Trainer, news: list[dict[str, Any]]) -> None:
        if self.recorder is None or not all("times" in told for told in news):
            return
        steps = np.frombuffer(news[0]["steps"], np.int64)
        times = [np.frombuffer(told["times"], np.float32).reshape(-1, len(NAMES)) for told in news]
        seconds = np.stack(times, axis=1)
        self._rows.append((steps, seconds))
        self._seen.append(seconds)
        now = self._clock()
        if now - self._last_write > WRITE_SECONDS:
            self._write()
            self._last_write = now
        if now - self._last_look > LOOK_SECONDS:
            self._look(trainer, now)
            self._last_look = now

    def on_end(self, trainer: Trainer) -> None:
        self._write()

    def _write(self) -> None:
        if self._rows and self.recorder is not None:
            steps, seconds = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
            self._rows.clear()
            self.recorder.writer.record_rank_times(steps, seconds)

    def _look(self, trainer: Trainer, now: float) -> None:
        """Names the rank that the others wait for, where there is one, in the run and on the terminal."""
        found = straggler(np.concatenate(self._seen))
        self._seen.clear()
        if found is None or now < self._quiet_until or self.recorder is None:
            return
        self._quiet_until = now + QUIET_SECONDS
        host = trainer.ranks.world.hosts[found.rank]
        payload = {"rank": found.rank, "host": host, "cost": found.cost}
        self.recorder.writer.record_event(
            trainer.position.step, trainer.position.seconds, "straggler", payload
        )
        text = found.text(host)
        self.recorder.log(f"warning: {text}")
        warnings.warn(text, RavineWarning, stacklevel=2)
