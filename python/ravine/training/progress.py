"""What a training with a run folder tells its listener."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ravine.training.trainer import Callback, Trainer

Metrics = dict[str, float]
REPORT_SECONDS = 0.05  # least time between two reports


@dataclass(frozen=True)
class Progress:
    """What a training looks like at one moment.

    Args:
        state: "training", "paused", "finished" or "stopped".
        epoch, epochs: the one that runs (from 1), and all.
        step, steps: done, and all.
        loss, accuracy: means over this epoch's batches so far; accuracy is None for regression.
        validation, test: metrics of the last evaluation; empty before there is one.
        samples_per_second: since the last report.
        seconds, seconds_left: of training so far, and the estimate of what is left.
        epoch_ended: this is the report of an epoch's end.
    """

    state: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float | None
    validation: Metrics
    test: Metrics
    samples_per_second: float
    seconds_left: float
    seconds: float
    epoch_ended: bool


Listener = Callable[[Progress], None]


@dataclass
class Reporter(Callback):
    """Tells the listener, at most 20 times a second and at every epoch's end."""

    listener: Listener
    metrics: dict[str, Metrics]
    last_time: float = field(default_factory=time.perf_counter)
    last_samples: int = 0
    rate: float = 0.0
    loss: float = float("nan")
    accuracy: float | None = None

    def on_start(self, trainer: Trainer) -> None:
        self.last_samples = self._samples(trainer)

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        running = trainer.position.training_metrics(trainer.network.has_accuracy)
        self.loss = running.get("loss", self.loss)
        self.accuracy = running.get("accuracy", self.accuracy)
        if time.perf_counter() - self.last_time >= REPORT_SECONDS:
            self.report(trainer, "training")

    def on_epoch_end(self, trainer: Trainer) -> None:
        self.report(trainer, "training", epoch_ended=True)

    def report(self, trainer: Trainer, state: str, epoch_ended: bool = False) -> None:
        position, plan = trainer.position, trainer.plan
        assert plan is not None
        now, samples = time.perf_counter(), self._samples(trainer)
        if samples > self.last_samples and now > self.last_time:
            self.rate = (samples - self.last_samples) / (now - self.last_time)
        self.last_time, self.last_samples = now, samples
        left = plan.epochs * plan.source.samples_per_epoch - samples
        running = position.epoch if epoch_ended else min(position.epoch + 1, plan.epochs)
        self.listener(
            Progress(
                state, running, plan.epochs, position.step, trainer.total_steps, self.loss, self.accuracy,
                dict(self.metrics.get("validation", {})), dict(self.metrics.get("test", {})),
                self.rate, left / self.rate if self.rate else float("nan"), position.seconds, epoch_ended,
            )
        )  # fmt: skip

    @staticmethod
    def _samples(trainer: Trainer) -> int:
        assert trainer.plan is not None
        return trainer.position.epoch * trainer.plan.source.samples_per_epoch + trainer.position.rows
