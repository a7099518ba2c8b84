"""What writes the run folder while a training runs, and takes the commands that arrive through it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.data import DataParts
from ravine.distributed.communicator import listed
from ravine.distributions import DistributionRow
from ravine.errors import CheckpointError, InputError, RunError
from ravine.experiment import CUSTOM
from ravine.hyperparameters import REGULARIZATION, hyperparameters
from ravine.runs import Command, RunFolder, RunWriter
from ravine.training import checkpoint as checkpoints
from ravine.training.history import EvaluationRecord
from ravine.training.snapshot import copied, snapshot
from ravine.training.trainer import Callback, Position, Trainer

WRITE_SECONDS = 0.25  # recorded steps reach the database at least so often


class Recorder(Callback):
    """Records steps, evaluations and checkpoints; obeys commands between steps.

    Args:
        run: the locked run folder.
        writer: of its database.
        parts: the data.
        checkpoint_seconds: least time between checkpoints at the ends of epochs.
        keep: how many checkpoints are kept.
    """

    def __init__(
        self, run: RunFolder, writer: RunWriter, parts: DataParts, checkpoint_seconds: float, keep: int
    ) -> None:
        self.run = run
        self.writer = writer
        self.parts = parts
        self.checkpoint_seconds = checkpoint_seconds
        self.keep = keep
        self.metrics: dict[str, dict[str, float]] = {}
        self.on_pause: Callable[[], None] = lambda: None
        self.best = math.inf
        self._pending_best: checkpoints.Checkpoint | None = None
        self._rows: list[
            tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]
        ] = []
        self._distributions: list[DistributionRow] = []
        self._passes = 0  # that the cost of statistics was measured on when it was last recorded
        self._last_write = time.monotonic()
        self._last_checkpoint = time.monotonic()
        self._saved: tuple[int, int, int] | None = None
        self._paused = False
        self._told = False  # the run folder says that it is
        self._single_steps = 0
        self._last_command = 0
        self._edits: list[Command] = []
        self.extra: dict[str, Any] = {}  # kept in every checkpoint

    def restore(
        self, position: Position, last_command: int, edits: Sequence[Command], *, unended: bool, changed: bool
    ) -> None:
        """Takes over what a resumed run has behind it.

        Args:
            position: where it goes on.
            last_command: number of the last command that the checkpoint knows of.
            edits: later edits that were lost with the killed process, to be made again after the same steps.
            unended: the steps of an epoch are done, but not its end; evaluations after this step, if the
                killed process came to them, are made again.
            changed: the run goes on with other settings than the checkpoint holds; it is saved again.
        """
        self._last_command = last_command
        self._edits = list(edits)
        if position.step == 0:
            return
        if not changed:
            self._saved = _place(position)
        with self.run.reader() as reader:
            for record in reader.evaluations():
                if unended and record.step == position.step:
                    continue
                self.metrics[record.split] = dict(record.metrics)
                if record.split == "validation":
                    self.best = min(self.best, record.metrics["loss"])
        if not checkpoints.best_path(self.run.path).exists():
            self.best = math.inf  # whatever it was, it is gone

    def log(self, message: str, rank: str = "") -> None:
        """Writes a line to log.txt.

        Raises:
            RunError: it cannot be written.
        """
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {f'[{rank}] ' if rank else ''}{message}\n"
        try:
            with self.run.log_path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise RunError(f"cannot be written: {error.strerror}", file=self.run.log_path) from error

    def on_news(self, trainer: Trainer, news: list[dict[str, Any]]) -> None:
        known = news[0].get("warnings", ())  # of rank 0, which has shown them
        others: dict[str, list[str]] = {}
        for name, told in zip(trainer.ranks.world.names, news, strict=True):
            for message in told.get("warnings", ()):
                others.setdefault(message, []).append(name)
        for message, names in others.items():
            if message not in known:
                self.log(f"warning: {message}", listed(names))

    def on_start(self, trainer: Trainer) -> None:
        plan = trainer.plan
        assert plan is not None
        self.writer.set_meta(
            epochs=plan.epochs,
            steps=trainer.total_steps,
            seed=trainer.seed,
            data=self.parts.summary.as_dict(),
        )
        self.writer.set_state("running")
        for line in trainer.on_device.lines:
            self.log(line)
        if _place(trainer.position) != self._saved:
            self._save(trainer)
        self._repeat_edits(trainer, recorded=True)
        trainer.limit_steps = self._steps_to_next_edit(trainer)

    def on_steps(self, trainer: Trainer, steps: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        position, plan = trainer.position, trainer.plan
        assert plan is not None
        if len(steps):
            ago = position.step - steps
            epochs = position.epoch + (position.batch - ago) / plan.source.batches_per_epoch
            # Steps of one native call are taken to be equally long.
            seconds = np.maximum(position.seconds - ago * trainer.step_seconds, 0.0)
            self._rows.append((steps, epochs, seconds, values))
        if time.monotonic() - self._last_write > WRITE_SECONDS:
            self.write()
            self._write_cost(trainer)
        if self._paused and self._single_steps > 0:
            self._single_steps -= 1

    def on_distributions(self, trainer: Trainer, rows: list[DistributionRow]) -> None:
        self._distributions += rows

    def on_control(self, trainer: Trainer) -> None:
        """Takes the commands that are there."""
        self._repeat_edits(trainer, recorded=False)
        self._take_commands(trainer)
        trainer.paused = self._paused and self._single_steps == 0
        if trainer.paused and not trainer.stop_asked:
            if not self._told:
                self.write()
                self.writer.set_state("paused")
            self._told = True
            self.on_pause()
        else:
            if self._told and not self._paused:
                self.writer.set_state("running")
            self._told = False
        trainer.limit_steps = 1 if self._paused else self._steps_to_next_edit(trainer)

    def on_schedule(self, trainer: Trainer, change: dict[str, Any]) -> None:
        self.writer.record_event(trainer.position.step, trainer.position.seconds, "schedule", change)

    def on_best_weights(self, trainer: Trainer, summary: dict[str, Any]) -> None:
        self.writer.record_event(trainer.position.step, trainer.position.seconds, "early_stopping", summary)
        self.metrics["validation"] = dict(summary["metrics"])
        self._saved = None  # the same place with other weights

    def on_evaluation(self, trainer: Trainer, record: EvaluationRecord) -> None:
        self.record_evaluation(trainer, record.split, record.metrics)
        if record.split == "validation" and record.metrics["loss"] < self.best:
            self.best = record.metrics["loss"]
            self._pending_best = copied(self._snapshot(trainer))

    def record_evaluation(self, trainer: Trainer, split: str, metrics: dict[str, float]) -> None:
        """Records metrics of a split after the current step."""
        self.write()
        self.metrics[split] = dict(metrics)
        self.writer.record_evaluation(trainer.position.step, trainer.epochs_done, split, metrics)

    def on_epoch_end(self, trainer: Trainer) -> None:
        if time.monotonic() - self._last_checkpoint >= self.checkpoint_seconds:
            self._save(trainer)

    def on_end(self, trainer: Trainer) -> None:
        self._save(trainer)
        self._write_cost(trainer, last=True)

    def write(self) -> None:
        """Brings recorded steps to the database."""
        self._last_write = time.monotonic()
        if self._rows:
            steps, epochs, seconds, values = (
                np.concatenate(parts) for parts in zip(*self._rows, strict=True)
            )
            self._rows.clear()
            self.writer.record_steps(steps, epochs, seconds, values)
        if self._distributions:
            self.writer.record_distributions(self._distributions)
            self._distributions.clear()

    def _write_cost(self, trainer: Trainer, last: bool = False) -> None:
        cost = trainer.statistics.cost
        if cost is not None and (last or cost.passes > self._passes):
            self._passes = cost.passes
            self.writer.set_meta(statistics_cost=asdict(cost))

    def _snapshot(self, trainer: Trainer) -> checkpoints.Checkpoint:
        flat = {
            f"{split}.{name}": value
            for split, values in self.metrics.items()
            for name, value in values.items()
        }
        return snapshot(trainer, self.parts, flat, {**self.extra, "last_command": self._last_command})

    def _save(self, trainer: Trainer) -> None:
        """The record first, then the best, then the latest: a checkpoint is never ahead of the record."""
        self.write()
        self.writer.synchronize()
        self._last_checkpoint = time.monotonic()
        if self._pending_best is not None:
            self._save_one(self._pending_best, best=True)
            self._pending_best = None
        if _place(trainer.position) != self._saved:
            self._save_one(self._snapshot(trainer), best=False)
            self._saved = _place(trainer.position)

    def _save_one(self, checkpoint: checkpoints.Checkpoint, best: bool) -> None:
        kind: checkpoints.Kind = "best" if best else "last"
        saved = checkpoints.save(self.run.path, checkpoint, keep_last=self.keep, kind=kind)
        self.writer.record_checkpoint(
            checkpoint.step, saved.path.name, saved.sha256, kind, checkpoint.metrics
        )

    def _steps_to_next_edit(self, trainer: Trainer) -> int | None:
        return (self._edits[0].taken_step or 0) - trainer.position.step if self._edits else None

    def _repeat_edits(self, trainer: Trainer, *, recorded: bool) -> None:
        """Makes the edits again that were made after this step before the process was killed."""
        while self._edits and (self._edits[0].taken_step or 0) <= trainer.position.step:
            command = self._edits.pop(0)
            self._take(trainer, command)
            self._last_command = max(self._last_command, command.id)
            if not recorded:
                self.writer.record_event(
                    trainer.position.step, trainer.position.seconds, command.kind, command.payload
                )

    def _take_commands(self, trainer: Trainer) -> None:
        for command in self.writer.pending_commands():
            step = trainer.position.step
            self._last_command = command.id
            try:
                reply = self._take(trainer, command)
            except (InputError, CheckpointError) as error:
                self.writer.acknowledge(command.id, step, "refused", str(error))
                continue
            self.write()
            self.writer.take(command, step, trainer.position.seconds, reply)

    def _take(self, trainer: Trainer, command: Command) -> str:
        kind, payload = command.kind, command.payload
        if kind == "pause":
            self._paused = True
        elif kind == "resume":
            self._paused = False
            self._single_steps = 0
        elif kind == "stop":
            trainer.stop()
        elif kind == "step":
            self._paused = True
            self._single_steps += int(payload.get("count", 1))
        elif kind == "checkpoint":
            self._save(trainer)
            return f"saved at step {trainer.position.step}"
        elif kind == "set":
            name, value = str(payload["name"]), payload["value"]
            check_setting(trainer, name, value)
            note = trainer.meeting.edit(name, float(value))
            return f"{name} = {value} from step {trainer.position.step + 1}{note}"
        else:
            raise InputError(f"there is no command '{kind}'")
        return ""


def _place(position: Position) -> tuple[int, int, int]:
    """What tells two positions apart: the same step can be before and after the end of its epoch."""
    return position.step, position.epoch, position.batch


def check_setting(trainer: Trainer, name: str, value: object) -> None:
    """Raises InputError unless a hyperparameter of that name may have that value."""
    from ravine import _core

    settings = trainer.optimizer.settings
    known = hyperparameters(settings)
    if name not in known:
        raise InputError(f"cannot be edited; there are: {', '.join(known)}", key=name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"expected a number, got {value!r}", key=name)
    if name in REGULARIZATION:
        if value < 0:
            raise InputError(f"must be at least 0, got {value}", key=name)
    elif settings["type"] != CUSTOM:
        _core.resolve("optimizer", {**settings, name: float(value)})
