"""One sitting of a training with a run folder: from a position to the end, or to a stop."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.data import DataParts
from ravine.distributed import failure
from ravine.errors import NotFiniteError, RavineError
from ravine.experiment import Experiment
from ravine.training import checkpoint as checkpoints
from ravine.training.batches import rows_of_batch
from ravine.training.optimizer import advice
from ravine.training.progress import Listener, Metrics, Reporter
from ravine.training.rank_telemetry import RankTelemetry
from ravine.training.recorder import Recorder
from ravine.training.slices import gathered
from ravine.training.statistics import StatisticsCost
from ravine.training.trainer import Callback, Position, Trainer

SAME_SIGNAL_SECONDS = 1.0  # a launcher passes on what a rank has heard of by itself


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Args:
        path: of the run folder.
        state: "finished" or "stopped".
        step, epochs, seconds: done.
        metrics: of the last evaluation of each split.
        sha256: of the parameters; equal for equal bits.
        best_step: the step whose weights early stopping has given back to the network, and whose metrics
            those of validation and test are; None where they are the last step's.
        statistics_cost: what recording statistics of layers cost; None where nothing was recorded.
    """

    path: Path
    state: str
    step: int
    epochs: float
    seconds: float
    metrics: dict[str, Metrics]
    sha256: str
    best_step: int | None = None
    statistics_cost: StatisticsCost | None = None


class Sitting:
    """A trainer at work, of which rank 0 keeps the record.

    Args:
        trainer: where it goes on from is restored already.
        parts: the data.
        experiment: that is trained.
        recorder: of a run folder that is locked; None on other ranks than rank 0.
        callbacks: what listens; they come before the recording.
        listener: called with the progress, on rank 0.
    """

    def __init__(
        self,
        trainer: Trainer,
        parts: DataParts,
        experiment: Experiment,
        recorder: Recorder | None,
        callbacks: Sequence[Callback],
        listener: Listener | None,
    ) -> None:
        self.trainer = trainer
        self.parts = parts
        self.experiment = experiment
        self.recorder = recorder
        self.reporter: Reporter | None = None
        trainer.callbacks = list(callbacks)
        if not trainer.ranks.alone:
            trainer.callbacks.append(RankTelemetry(recorder))
        if recorder is None:
            return
        trainer.callbacks.append(recorder)
        if listener is not None:
            self.reporter = reporter = Reporter(listener, recorder.metrics)
            trainer.callbacks.append(reporter)
            recorder.on_pause = lambda: reporter.report(trainer, "paused")

    def run(self, position: Position, stop_on_signal: bool) -> Outcome:
        """Trains from a position on."""
        trainer, recorder = self.trainer, self.recorder
        self._log_start(position)
        timeout = self.experiment.parallel.timeout_seconds
        with (
            failure.watched(timeout, self._failed),
            _stopped_by_signals(trainer) if stop_on_signal else contextlib.nullcontext(),
        ):
            try:
                finished = self._train(position)
                if recorder is not None:
                    recorder.writer.set_state("finished" if finished else "stopped")
            except RavineError as error:
                if recorder is not None:
                    with contextlib.suppress(RavineError):
                        recorder.log(str(error))
                        recorder.write()
                        recorder.writer.set_state("crashed", str(error))
                    if isinstance(error, NotFiniteError):
                        error.file = str(recorder.run.path)
                raise
            except BaseException as error:
                if recorder is not None:
                    with contextlib.suppress(RavineError):
                        recorder.writer.set_state("crashed", repr(error))
                raise
        state = "finished" if finished else "stopped"
        threads = trainer.ranks.world.gather(trainer.network.threads)
        if recorder is not None:
            if self.experiment.compute.threads == "auto" and trainer.network.device == "cpu":
                recorder.log(f"threads that were the fastest: {', '.join(map(str, threads))}")
            recorder.log(f"{state} at step {trainer.position.step}")
            if trainer.statistics.cost is not None:
                recorder.log(f"statistics: {trainer.statistics.cost}")
        if self.reporter is not None:
            self.reporter.report(trainer, state, epoch_ended=True)
        return self._outcome(state)

    def _failed(self, reason: str) -> None:
        """Records why all ranks end, while this one may hang anywhere: through a connection of its own."""
        if self.recorder is not None:
            with contextlib.suppress(RavineError):
                self.recorder.log(reason)
                with self.recorder.run.writer() as writer:
                    writer.set_state("crashed", reason)

    def _train(self, position: Position) -> bool:
        """Trains and tests; whether all came to its end."""
        trainer, recorder, training = self.trainer, self.recorder, self.experiment.training
        splits = {} if self.parts.validation is None else {"validation": self.parts.validation}
        trainer.fit_datasets(
            self.parts.train,
            splits,
            epochs=training.epochs,
            evaluate_every=training.evaluate_every,
            position=position,
        )
        finished = trainer.finished
        best_step = self._best_step()
        if recorder is not None and best_step is not None and trainer.early_stopping is not None:
            recorder.metrics["validation"] = dict(trainer.early_stopping.metrics)
            recorder.log(f"the network has the weights of step {best_step}, with the lowest validation loss")
        if finished and self.parts.test is not None:
            metrics = trainer.evaluate_dataset(self.parts.test)
            finished = metrics is not None
            if metrics is not None and recorder is not None:
                recorder.record_evaluation(trainer, "test", metrics)
        return finished

    def _best_step(self) -> int | None:
        stopping = self.trainer.early_stopping
        return stopping.best_step if stopping is not None and stopping.restored else None

    def _log_start(self, position: Position) -> None:
        trainer, recorder, compute = self.trainer, self.recorder, self.experiment.compute
        if recorder is None:
            return
        where = f"with {compute.threads} threads"
        if compute.threads == "auto":
            where = "with as many threads as are the fastest"
        if trainer.network.device != "cpu":
            where = f"on {trainer.network.device}"
        recorder.log(f"training from step {position.step} {where}")
        failure.fact(run=str(recorder.run.path), step=position.step)
        ranks = trainer.ranks
        if not ranks.alone:
            recorder.log(f"{ranks.size} ranks, {ranks.grid}: {', '.join(ranks.world.names)}")
            if ranks.placement is not None:
                recorder.log(f"cards: {ranks.placement}")
                if ranks.placement.warning:
                    recorder.log(f"warning: {ranks.placement.warning}")
            if ranks.native is not None and ranks.settings.bucket_megabytes == "auto":
                recorder.log(f"gradients are summed in slices of {ranks.native.bucket_bytes / 1e6:g} MB")
            grid = {"data": ranks.grid.data, "model": ranks.grid.model}
            recorder.writer.set_meta(hosts=ranks.world.hosts, grid=grid)
        rows = rows_of_batch(trainer.batch_size, len(self.parts.train))
        for message in advice(trainer.optimizer, rows, len(self.parts.train)):
            recorder.log(f"warning: {message}")
        if trainer.averaged is not None:
            decay = trainer.average_weights
            recorder.log(f"evaluations have a moving average of the weights, of decay {decay:g}")
            with recorder.run.reader() as reader:
                recorded = any(event.kind == "averaged_weights" for event in reader.events())
            if not recorded:
                recorder.writer.record_event(0, 0.0, "averaged_weights", {"decay": decay})

    def _outcome(self, state: str) -> Outcome:
        """The same on all ranks, but for the seconds and what only rank 0 measures."""
        trainer, recorder = self.trainer, self.recorder
        mine: dict[str, Any] | None = None
        if recorder is not None:
            mine = {"path": str(recorder.run.path), "metrics": recorder.metrics}
        known = trainer.ranks.world.broadcast(mine)
        return Outcome(
            Path(known["path"]),
            state,
            trainer.position.step,
            trainer.epochs_done,
            trainer.position.seconds,
            {split: dict(metrics) for split, metrics in known["metrics"].items()},
            checkpoints.digest(gathered(trainer.network, trainer.network.parameters)),
            self._best_step(),
            trainer.statistics.cost,
        )


@contextlib.contextmanager
def _stopped_by_signals(trainer: Trainer) -> Iterator[None]:
    """The first SIGINT or SIGTERM, for ranks also SIGUSR1, stops after the step; the next one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = 0.0

    def handle(number: int, frame: types.FrameType | None) -> None:
        nonlocal first
        again = trainer.ranks.alone or time.monotonic() - first > SAME_SIGNAL_SECONDS
        if trainer.stop_asked and again:
            raise KeyboardInterrupt
        first = time.monotonic()
        trainer.stop()

    # mpirun passes only the last of these on and lets ranks take their time; at the others it kills them.
    numbers = (signal.SIGINT, signal.SIGTERM, *(() if trainer.ranks.alone else (signal.SIGUSR1,)))
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
