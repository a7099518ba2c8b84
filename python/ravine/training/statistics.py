"""What a training records of its layers, and what that costs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from ravine import _core
from ravine.errors import InputError
from ravine.model import whole_number

Level = Literal["off", "norms", "full"]
MOST_PASSES = 64
FREE_SECONDS = 0.05  # that measuring the cost may take, and what share of the training beyond them
SHARE_OF_TRAINING = 0.01


@dataclass(frozen=True)
class StatisticsCost:
    """What recording statistics costs; that writing them to a run folder takes is not in it.

    Args:
        share: of the time of a step.
        seconds: a step, on average over steps with a record and steps without.
        passes: how many passes of each kind it was measured on, beside the training.
    """

    share: float
    seconds: float
    passes: int

    def __str__(self) -> str:
        passes = f"{self.passes} passes" if self.passes > 1 else "one pass"
        return f"{100 * self.share:.1f} % of a step, measured on {passes} with and without"


class Statistics:
    """What is recorded, and when; measures its own cost while a training runs.

    The cost is measured on forward passes that train nothing, with and without statistics by turns: the
    shortest of each count. They are made between the calls of the native loop, up to 64 of them, as long as
    they take no more than 50 ms and 1 % of the training.

    Args:
        level: "off", "norms" or "full".
        every: steps between records, 0 for none.
        full_every: steps between distributions, where the level is "full".

    Raises:
        InputError: an unknown level, or a number that is too small.
    """

    def __init__(self, level: str, every: int, full_every: int) -> None:
        if level not in get_args(Level):
            raise InputError(f"is {level!r}; choose from {', '.join(get_args(Level))}", key="statistics")
        self.level = level
        self.every = whole_number("record_every", every, 0)
        self.full_every = whole_number("full_every", full_every, 1)
        self._passes = 0
        self._measuring = self._training = 0.0  # seconds
        self._shortest = dict.fromkeys(("bare", "observed", "distributed", "step"), math.inf)
        self._parts = 1  # of a batch

    @property
    def settings(self) -> dict[str, Any]:
        """What `Network.train` is to be told."""
        return {"record_every": self.every, "statistics": self.level, "full_every": self.full_every}

    def measure(
        self, network: _core.Network, batch: NDArray[Any], micro_batch: int, seconds: float, steps: int
    ) -> None:
        """After a call of the native loop: goes on measuring, if there is something to be measured.

        Args:
            network: that is trained.
            batch: inputs of one of its batches.
            micro_batch: samples that are computed at once, 0 for all of the batch.
            seconds, steps: that the call took and did.
        """
        if steps == 0 or not (self._observes or self.level == "full"):
            return
        self._training += seconds
        self._shortest["step"] = min(self._shortest["step"], seconds / steps)
        # What the next pass of each kind may take; two forward passes take less than a step.
        expected = self._measuring / self._passes if self._passes else self._shortest["step"]
        left = FREE_SECONDS + SHARE_OF_TRAINING * self._training - self._measuring - expected
        if left <= 0 or self._passes >= MOST_PASSES:
            return
        start = time.perf_counter()
        rows = batch[: micro_batch or len(batch)]
        self._parts = -(-len(batch) // len(rows))
        found = network.time_passes(
            rows, distributions=self.level == "full", most=MOST_PASSES - self._passes, seconds=left
        )
        self._passes += int(found.pop("passes"))
        for kind, shortest in found.items():
            self._shortest[kind] = min(self._shortest[kind], shortest)
        self._measuring += time.perf_counter() - start

    @property
    def cost(self) -> StatisticsCost | None:
        """As far as it is known; None where it is not, and where no layer is measured."""
        if self._passes == 0:
            return None
        bare = self._shortest["bare"]
        seconds = 0.0
        if self._observes:
            seconds += max(0.0, self._shortest["observed"] - bare) / self.every
        if self.level == "full":
            seconds += max(0.0, self._shortest["distributed"] - bare) / self.full_every
        seconds *= self._parts
        return StatisticsCost(seconds / self._shortest["step"], seconds, self._passes)

    @property
    def _observes(self) -> bool:
        return self.level != "off" and self.every > 0
