"""What a run is doing now, for the toolbar, the problems and the status line."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from ravine.gui.state.tail import RunTail
from ravine.gui.state.trouble import Kind, trouble_of
from ravine.runs import Command

RATE_ROWS = 400  # recorded steps that the speed is taken from


@dataclass(frozen=True)
class RunStatus:
    """A run at one moment.

    Args:
        run: its folder.
        state: running, paused, finished, stopped, crashed, waiting (nothing written yet) or damaged.
        reason: in one line.
        step, steps: done and planned (0: not known).
        epoch, epochs: done, with fraction, and planned.
        samples_per_second, seconds_left: NaN where not known.
        statistics_cost: share of a step; NaN where not known.
        checkpoint_seconds: since the last checkpoint; NaN where there is none.
        commands: with what became of them.
        metrics: newest, "validation.loss" and so on.
        broken: the first recorded step whose loss is not finite, or 0.
        trouble, trouble_text: what is wrong with the gradients of a run that goes on.
        hosts: of the ranks, in their order; empty where there is one rank alone.
    """

    run: Path
    state: str
    reason: str = ""
    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    epochs: float = 0.0
    samples_per_second: float = math.nan
    seconds_left: float = math.nan
    statistics_cost: float = math.nan
    checkpoint_seconds: float = math.nan
    commands: tuple[Command, ...] = ()
    learning_rate: float = math.nan
    broken: int = 0
    trouble: Kind = ""
    trouble_text: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def training(self) -> bool:
        """Whether a process is at work."""
        return self.state in ("running", "paused")

    @property
    def ranks(self) -> int:
        """Processes that train."""
        return max(1, len(self.hosts))

    @property
    def can_resume(self) -> bool:
        return self.state in ("stopped", "crashed")


@dataclass(frozen=True)
class StatusQuery:
    """Asks for the status of a run; `beat` changes every second, so that what is told of time goes on."""

    run: Path
    beat: int = 0

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def answer(self, tails: dict[Path, RunTail]) -> RunStatus:
        return status_of(tails[self.run])


def status_of(tail: RunTail) -> RunStatus:
    """The status, from the record."""
    state = tail.state
    if tail.problem and state is None:
        missing = not (tail.path / "run.db").exists()
        return RunStatus(tail.path, "waiting" if missing else "damaged", tail.problem)
    if state is None:
        return RunStatus(tail.path, "waiting")
    epochs, steps = state.meta.get("epochs"), state.meta.get("steps")
    rate = left = math.nan
    records = tail.records
    epoch_times, seconds = records.places(1)[-RATE_ROWS:], records.places(2)[-RATE_ROWS:]
    if len(seconds) > 1 and seconds[-1] > seconds[0]:
        speed = float((epoch_times[-1] - epoch_times[0]) / (seconds[-1] - seconds[0]))
        rate = speed * tail.samples_per_epoch
        if isinstance(epochs, (int, float)) and speed > 0:
            left = max(0.0, (float(epochs) - state.epoch) / speed)
    cost, saved = state.meta.get("statistics_cost"), state.meta.get("synchronized")
    first = records.first_broken[tail.number("loss")] if "loss" in tail.columns else math.nan
    rate_now = records.last[tail.number("learning_rate")] if "learning_rate" in tail.columns else math.nan
    return RunStatus(
        tail.path, state.state, tail.problem or state.reason, state.step,
        steps if isinstance(steps, int) else 0, state.epoch,
        float(epochs) if isinstance(epochs, (int, float)) else 0.0, rate, left,
        float(cost["share"]) if isinstance(cost, dict) and "share" in cost else math.nan,
        time.time() - saved if isinstance(saved, float) else math.nan,
        tuple(tail.commands), float(rate_now), int(first) if math.isfinite(first) else 0,
        *(trouble_of(tail) if state.state in ("running", "paused") else ("", "")),
        tuple(tail.hosts),
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Seconds as a clock shows them.

    Example:
        >>> duration(252.0), duration(3725), duration(math.nan)
        ('4:12', '1:02:05', '-')
    """
    if not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: float) -> str:
    """A large number in few characters.

    Example:
        >>> count(950), count(12_400), count(3.2e6), count(2.5e9)
        ('950', '12.4k', '3.2M', '2.5G')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}"


def flops(number: float) -> str:
    """Floating-point operations in few characters.

    Example:
        >>> flops(1_020_000), flops(12)
        ('1.02 MFLOP', '12 FLOP')
    """
    text = count(number)
    return f"{text[:-1]} {text[-1]}FLOP" if text[-1].isalpha() else f"{text} FLOP"
