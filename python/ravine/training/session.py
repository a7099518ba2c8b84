"""A training with a run folder: recorded, checkpointed, steered by commands and signals, resumable."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ravine import _core
from ravine.data import DataParts
from ravine.errors import NotFiniteError, RavineError, RunError
from ravine.experiment import Experiment, RegularizationSettings, load_experiment, to_toml
from ravine.groups import GroupSettings
from ravine.runs import RunFolder, RunWriter
from ravine.training import checkpoint as checkpoints
from ravine.training.batches import rows_of_batch
from ravine.training.lsuv import calibrate
from ravine.training.optimizer import advice
from ravine.training.preparation import Arrays, balanced_loss, build, load_parts
from ravine.training.progress import Listener, Metrics, Reporter
from ravine.training.recorder import Recorder
from ravine.training.resume import (
    changed_settings,
    check_overrides,
    check_same_batches,
    check_same_data,
    check_same_schedules,
    edits_to_repeat,
    hyperparameters,
    remove_stale_best,
    steps_are_done,
)
from ravine.training.schedules import Schedule
from ravine.training.snapshot import restore, restored_position
from ravine.training.statistics import StatisticsCost
from ravine.training.trainer import Callback, Position, Trainer


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


def train_experiment(
    experiment: Experiment,
    *,
    data: Arrays | None = None,
    test_data: Arrays | None = None,
    optimizer: _core.Optimizer | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    callbacks: Sequence[Callback] = (),
    parent: Path = Path("runs"),
    folder: Path | None = None,
    listener: Listener | None = None,
    stop_on_signal: bool = True,
) -> Outcome:
    """Trains an experiment in a new run folder.

    Args:
        experiment: what to train.
        data: inputs [samples, *shape], targets, and sample weights if there are any, where the experiment's
            `data.source` is "arrays" (an `ArraySource` says besides which belong together); a data frame, a
            pyarrow table or a mapping of columns where it is "table".
        test_data: the same of the test, if it is not split off `data`.
        optimizer: used instead of the experiment's and recorded in its place, as with `custom_optimizer`.
        schedules: for a hyperparameter, a function of the step (counted from 0) that gives its value.
        callbacks: what listens; they come before the recording, so that a checkpoint holds what they change.
        parent: where the run folder is made, named after the experiment.
        folder: exactly this folder instead; it must not exist.
        listener: called with the progress.
        stop_on_signal: SIGINT and SIGTERM finish the step, save a checkpoint and stop.

    What is Python's own (arrays, a rule, schedules, callbacks) is not in the run folder: give it to
    `resume_run` again.

    Raises:
        InputError: anything a user gave that cannot be used.
        NotFiniteError: the training diverged; layer and step are named.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     outcome = train_experiment(load_experiment("digits"), parent=Path(parent))
        >>> outcome.metrics["test"]["accuracy"] > 0.9
        True
    """
    if optimizer is not None:
        experiment = msgspec.structs.replace(
            experiment,
            optimizer=optimizer.settings,
            regularization=RegularizationSettings(
                **optimizer.regularization,
                l2_form="norm" if optimizer.l2_form == "norm" else "squared",
                l1_form="proximal" if optimizer.l1_form == "proximal" else "subgradient",
            ),
            groups=[GroupSettings(**group) for group in optimizer.groups],
        )
    parts = load_parts(experiment, data, test_data)
    experiment = msgspec.structs.replace(experiment, loss=balanced_loss(experiment, parts))
    trainer = build(experiment, parts, optimizer, schedules)
    calibrated = _calibrated(trainer, experiment, parts)
    if folder is None:
        run = RunFolder.create(parent, experiment.name)
    else:
        if folder.exists():
            raise RunError("exists already; resume it, or choose another name", file=folder)
        run = RunFolder.create(folder.parent, folder.name)
    with run.lock():
        run.write_experiment(to_toml(experiment))
        if calibrated:
            _log(run, calibrated)
        columns = trainer.network.columns
        with run.writer(columns) as writer:
            recorder = _recorder(run, writer, parts, experiment, schedules)
            return _run(recorder, trainer, experiment, Position(), callbacks, listener, stop_on_signal)


def resume_run(
    path: Path,
    *,
    checkpoint: str = "last",
    overrides: Sequence[str] = (),
    data: Arrays | None = None,
    test_data: Arrays | None = None,
    optimizer: _core.Optimizer | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    callbacks: Sequence[Callback] = (),
    listener: Listener | None = None,
    stop_on_signal: bool = True,
) -> Outcome:
    """Goes on with a run from a checkpoint, to the same bits as if it had never been broken.

    What was recorded after the checkpoint is dropped, and so are later checkpoints. Live edits that were made
    after it are made again after the same steps, but those of settings that are given anew.

    Args:
        path: of the run folder.
        checkpoint: "last", the newest that is whole; "best", that of the lowest validation loss; or a step
            such as "step-1234".
        overrides: settings to change from here on, such as "training.epochs=30"; recorded as events.
        data, test_data, optimizer, schedules, callbacks: as in `train_experiment`, where the run had them.
            The optimizer's numbers are those of the run, not those it was made with.
        listener, stop_on_signal: as in `train_experiment`.

    Raises:
        RunError: the run is in use, or holds no whole checkpoint.
        CheckpointError: no such checkpoint, or a damaged one; the record stays as it was.
        InputError: the data has changed since, or the run needs a rule, schedules or arrays that were not
            given.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     short = load_experiment("digits", ["training.epochs=1"])
        ...     outcome = train_experiment(short, parent=Path(parent))
        ...     resume_run(outcome.path, overrides=["training.epochs=2"]).epochs
        2.0
    """
    run = RunFolder.open(path)
    check_overrides(overrides)
    with run.lock():
        experiment = load_experiment(run.experiment_path, overrides)
        parts = load_parts(experiment, data, test_data)
        trainer = build(experiment, parts, optimizer, schedules)
        none = checkpoints.latest(run.path) is None and not checkpoints.best_path(run.path).exists()
        if none and checkpoint == "last":
            loaded, position, state = None, Position(), {}
            _calibrated(trainer, experiment, parts)
        else:
            loaded = checkpoints.load_named(run.path, checkpoint)
            position = restored_position(loaded.checkpoint, loaded.path)
            state = loaded.checkpoint.state
            check_same_data(state, parts, loaded.path)
            check_same_batches(trainer, position, len(parts.train))
            check_same_schedules(state, schedules or {})
        changed = changed_settings(experiment, overrides, state)
        if loaded is not None:
            restore(trainer, loaded.checkpoint, loaded.path, changed=changed)
        columns = trainer.network.columns
        with run.writer(columns) as writer:
            if checkpoint != "last" and loaded is not None:
                _log(run, f"goes on from {loaded.path.name}; what came after step {position.step} is dropped")
                checkpoints.keep_as_step(loaded.path, position.step)
            # Files first: a kill in between leaves no checkpoint that is ahead of the record.
            checkpoints.discard_after(run.path, position.step)
            writer.truncate_after(position.step)
            if loaded is not None and loaded.warning:
                _log(run, loaded.warning)
            recorder = _recorder(run, writer, parts, experiment, schedules)
            command = state.get("last_command")
            last = command if isinstance(command, int) else 0
            edits = edits_to_repeat(writer, position.step, last, changed)
            if overrides or changed or checkpoint != "last":
                remove_stale_best(run.path, position.step)
            unended = steps_are_done(trainer, position, len(parts.train))
            recorder.restore(position, last, edits, unended=unended, changed=bool(overrides or changed))
            if overrides:
                # From here on the change stands: a kill before the next checkpoint does not undo it.
                run.write_experiment(to_toml(experiment))
            if overrides or changed:
                values = hyperparameters(experiment)
                settings = list(overrides) or [f"{name}={values[name]}" for name in sorted(changed)]
                writer.record_event(position.step, position.seconds, "settings", {"set": settings})
            return _run(recorder, trainer, experiment, position, callbacks, listener, stop_on_signal)


def _calibrated(trainer: Trainer, experiment: Experiment, parts: DataParts) -> str:
    """Calibrates the weights where the experiment says so, before the first step; a line for the log."""
    if not experiment.model.calibrate:
        return ""
    return calibrate(trainer.network, parts.train, experiment.seed)


def _recorder(
    run: RunFolder,
    writer: RunWriter,
    parts: DataParts,
    experiment: Experiment,
    schedules: Mapping[str, Schedule] | None,
) -> Recorder:
    training = experiment.training
    recorder = Recorder(run, writer, parts, training.checkpoint_seconds, training.keep_checkpoints)
    recorder.extra = {
        "hyperparameters": hyperparameters(experiment),
        "schedule_functions": sorted(schedules or {}),
    }
    return recorder


def _run(
    recorder: Recorder,
    trainer: Trainer,
    experiment: Experiment,
    position: Position,
    callbacks: Sequence[Callback],
    listener: Listener | None,
    stop_on_signal: bool,
) -> Outcome:
    """Trains from a position to the end, into a folder that is locked."""
    training, run, writer, parts = experiment.training, recorder.run, recorder.writer, recorder.parts
    reporter = Reporter(listener, recorder.metrics) if listener is not None else None
    trainer.callbacks = [*callbacks, recorder, *([reporter] if reporter is not None else [])]
    if reporter is not None:
        recorder.on_pause = lambda: reporter.report(trainer, "paused")
    splits = {}
    if parts.validation is not None:
        splits["validation"] = parts.validation
    measured = experiment.compute.threads == "auto"
    threads = "as many threads as are the fastest" if measured else f"{experiment.compute.threads} threads"
    _log(run, f"training from step {position.step} with {threads}")
    rows = rows_of_batch(trainer.batch_size, len(parts.train))
    for message in advice(trainer.optimizer, rows, len(parts.train)):
        _log(run, f"warning: {message}")
    if trainer.averaged is not None:
        decay = trainer.average_weights
        _log(run, f"evaluations have a moving average of the weights, of decay {decay:g}")
        with run.reader() as reader:
            recorded = any(event.kind == "averaged_weights" for event in reader.events())
        if not recorded:
            writer.record_event(0, 0.0, "averaged_weights", {"decay": decay})
    with _stopped_by_signals(trainer) if stop_on_signal else contextlib.nullcontext():
        try:
            trainer.fit_datasets(
                parts.train,
                splits,
                epochs=training.epochs,
                evaluate_every=training.evaluate_every,
                position=position,
            )
            finished = trainer.finished
            stopping = trainer.early_stopping
            best_step = stopping.best_step if stopping is not None and stopping.restored else None
            if stopping is not None and best_step is not None:
                recorder.metrics["validation"] = dict(stopping.metrics)
                _log(run, f"the network has the weights of step {best_step}, with the lowest validation loss")
            if finished and parts.test is not None:
                metrics = trainer.evaluate_dataset(parts.test)
                finished = metrics is not None
                if metrics is not None:
                    recorder.record_evaluation(trainer, "test", metrics)
            writer.set_state("finished" if finished else "stopped")
        except RavineError as error:
            with contextlib.suppress(RavineError):
                _log(run, str(error))
                recorder.write()
                writer.set_state("crashed", str(error))
            if isinstance(error, NotFiniteError):
                error.file = str(run.path)
            raise
        except BaseException as error:
            with contextlib.suppress(RavineError):
                writer.set_state("crashed", repr(error))
            raise
    state = "finished" if finished else "stopped"
    if measured:
        _log(run, f"threads that were the fastest: {trainer.network.threads}")
    _log(run, f"{state} at step {trainer.position.step}")
    if trainer.statistics.cost is not None:
        _log(run, f"statistics: {trainer.statistics.cost}")
    if reporter is not None:
        reporter.report(trainer, state, epoch_ended=True)
    return Outcome(
        run.path,
        state,
        trainer.position.step,
        trainer.epochs_done,
        trainer.position.seconds,
        {split: dict(metrics) for split, metrics in recorder.metrics.items()},
        checkpoints.digest(dict(trainer.network.parameters)),
        best_step,
        trainer.statistics.cost,
    )


def _log(run: RunFolder, message: str) -> None:
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n"
    try:
        with run.log_path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror}", file=run.log_path) from error


@contextlib.contextmanager
def _stopped_by_signals(trainer: Trainer) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops after the step that runs; a second one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: types.FrameType | None) -> None:
        if trainer.stopping:
            raise KeyboardInterrupt
        trainer.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
