"""A training with a run folder: recorded, checkpointed, steered by commands and signals, resumable."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from numpy.typing import ArrayLike

from ravine import _core
from ravine.data import DataParts, as_dataset
from ravine.data import load as load_data
from ravine.errors import InputError, NotFiniteError, RavineError, RunError
from ravine.experiment import CUSTOM, Experiment, RegularizationSettings, load_experiment, to_toml
from ravine.model import specification
from ravine.runs import RunFolder, RunWriter
from ravine.training import checkpoint as checkpoints
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
from ravine.training.snapshot import restore, restored_position
from ravine.training.trainer import Callback, Position, Schedule, Trainer

Arrays = tuple[ArrayLike, ArrayLike]
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


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Args:
        path: of the run folder.
        state: "finished" or "stopped".
        step, epochs, seconds: done.
        metrics: of the last evaluation of each split.
        sha256: of the parameters; equal for equal bits.
    """

    path: Path
    state: str
    step: int
    epochs: float
    seconds: float
    metrics: dict[str, Metrics]
    sha256: str


@dataclass
class _Reporter(Callback):
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


def build(
    experiment: Experiment,
    parts: DataParts,
    optimizer: _core.Optimizer | None = None,
    schedules: Mapping[str, Schedule] | None = None,
) -> Trainer:
    """The trainer that an experiment describes, for data that was loaded for it.

    Args:
        experiment: what to train.
        parts: its data.
        optimizer: takes the place of the experiment's, whose type and numbers it must have.
        schedules: see `Trainer`.

    Raises:
        InputError: layers that do not fit the data or each other, or settings out of range.
    """
    compute, training = experiment.compute, experiment.training
    try:
        network = _core.Network(
            specification(parts.train.input_shape, experiment.model.layers),
            experiment.loss,
            batch_size=min(training.batch_size, len(parts.train)),
            dtype=compute.dtype,
            device=compute.device,
            threads=0 if compute.threads == "auto" else compute.threads,
            seed=experiment.seed,
        )
    except InputError as error:
        sections = dict.fromkeys(("device", "threads", "dtype"), "compute")
        sections |= {"batch_size": "training", "name": "model"}
        key = f"{sections[error.key]}.{error.key}" if error.key in sections else error.key
        raise type(error)(error.message, key=key, layer=error.layer) from None
    _check_task(network, parts)
    regularization = experiment.regularization
    return Trainer(
        network,
        optimizer=_optimizer(experiment, optimizer),
        schedules=schedules,
        batch_size=training.batch_size,
        seed=experiment.seed,
        shuffle=training.shuffle,
        drop_last=training.drop_last,
        record_every=experiment.statistics.every,
        observe_layers=experiment.statistics.layers,
    )


def _check_task(network: _core.Network, parts: DataParts) -> None:
    last = network.layers[-1]["name"]
    if network.classifies != (parts.summary.task == "classification"):
        wanted = "class labels" if network.classifies else "values to approximate"
        given = "class labels" if parts.summary.task == "classification" else "values"
        raise InputError(
            f"this loss needs {wanted}, but the data holds {given}; choose another loss or set data.task",
            key="loss",
        )
    outputs = network.output_shape
    if network.classifies and parts.summary.outputs > outputs[-1]:
        raise InputError(
            f"the last layer gives {outputs[-1]} outputs for {parts.summary.outputs} classes; "
            f"set its units to {parts.summary.outputs}",
            layer=last,
        )
    if not network.classifies and outputs != (parts.summary.outputs,):
        raise InputError(
            f"the last layer gives shape {list(outputs)}, the targets have shape [{parts.summary.outputs}]",
            layer=last,
        )


def _optimizer(experiment: Experiment, given: _core.Optimizer | None) -> _core.Optimizer:
    """The experiment's optimizer: made here, or given and set to the experiment's numbers."""
    regularization, wanted = experiment.regularization, experiment.optimizer
    assert isinstance(wanted, dict)
    if given is None:
        if wanted["type"] == CUSTOM:
            raise InputError(
                'is "custom", a rule in Python that no file can hold; give it again: '
                "resume_run(path, optimizer=custom_optimizer(...))",
                key="optimizer.type",
            )
        return _core.Optimizer(wanted, l2=regularization.l2, clip_norm=regularization.clip_norm)
    settings = given.settings
    if settings["type"] != wanted["type"] or set(settings) != set(wanted):
        raise InputError(
            f"the run was trained with {_described(wanted)}, but {_described(settings)} was given",
            key="optimizer",
        )
    for name, value in hyperparameters(experiment).items():
        given.set(name, value)
    return given


def _described(rule: Mapping[str, object]) -> str:
    names = ", ".join(sorted(set(rule) - {"type"}))
    return f"{rule['type']} ({names})"


def load_parts(
    experiment: Experiment, data: Arrays | None = None, test_data: Arrays | None = None
) -> DataParts:
    """The data of an experiment, split and preprocessed; arrays where its source is "arrays"."""
    classifier = experiment.loss["type"] == "softmax_cross_entropy"  # type: ignore[index]
    units = [
        layer["units"] for layer in experiment.model.layers if isinstance(layer, dict) and "units" in layer
    ]
    classes = units[-1] if classifier and units else 0
    settings = experiment.data
    train, test = (
        as_dataset(*arrays, task=settings.task, classes=settings.classes or classes, name=name)
        if arrays is not None
        else None
        for arrays, name in ((data, "data"), (test_data, "test_data"))
    )
    return load_data(
        settings,
        Path(),
        train=train,
        test=test,
        classes=classes,
        dtype=experiment.compute.dtype,
        threads=_core.available_processors(),
    )


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
        data: inputs [samples, *shape] and targets, where the experiment's `data.source` is "arrays".
        test_data: the same of the test, if it is not split off `data`.
        optimizer: used instead of the experiment's and recorded in its place, as with `custom_optimizer`.
        schedules: for a hyperparameter, a function of the step (counted from 0) that gives its value.
        callbacks: what listens; they come before the recording, so that a checkpoint holds what they change.
        parent: where the run folder is made, named after the experiment.
        folder: exactly this folder instead; it must not exist.
        listener: called with the progress.
        stop_on_signal: SIGINT and SIGTERM finish the step, save a checkpoint and stop.

    What is Python's own (arrays, a rule, schedules, callbacks) is not in the run folder: give it to `resume_run`
    again.

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
            regularization=RegularizationSettings(l2=optimizer.l2, clip_norm=optimizer.clip_norm),
        )
    parts = load_parts(experiment, data, test_data)
    trainer = build(experiment, parts, optimizer, schedules)
    if folder is None:
        run = RunFolder.create(parent, experiment.name)
    else:
        if folder.exists():
            raise RunError("exists already; resume it, or choose another name", file=folder)
        run = RunFolder.create(folder.parent, folder.name)
    with run.lock():
        run.write_experiment(to_toml(experiment))
        columns = trainer.network.columns
        with run.writer(columns) as writer:
            recorder = _recorder(run, writer, parts, experiment, schedules)
            return _run(recorder, trainer, experiment, Position(), callbacks, listener, stop_on_signal)


def resume_run(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    data: Arrays | None = None,
    test_data: Arrays | None = None,
    optimizer: _core.Optimizer | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    callbacks: Sequence[Callback] = (),
    listener: Listener | None = None,
    stop_on_signal: bool = True,
) -> Outcome:
    """Goes on with a run from its latest checkpoint, to the same bits as if it had never been broken.

    Args:
        path: of the run folder.
        overrides: settings to change from here on, such as "training.epochs=30"; recorded as events.
        data, test_data, optimizer, schedules, callbacks: as in `train_experiment`, where the run had them. The
            optimizer's numbers are those of the run, not those it was made with.
        listener, stop_on_signal: as in `train_experiment`.

    Raises:
        RunError: the run is in use, or holds no whole checkpoint.
        InputError: the data has changed since, or the run needs a rule, schedules or arrays that were not given.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     path = train_experiment(load_experiment("digits", ["training.epochs=1"]), parent=Path(parent)).path
        ...     resume_run(path, overrides=["training.epochs=2"]).epochs
        2.0
    """
    run = RunFolder.open(path)
    check_overrides(overrides)
    with run.lock():
        experiment = load_experiment(run.experiment_path, overrides)
        parts = load_parts(experiment, data, test_data)
        trainer = build(experiment, parts, optimizer, schedules)
        if checkpoints.latest(run.path) is None and not checkpoints.best_path(run.path).exists():
            loaded, position, state = None, Position(), {}
        else:
            loaded = checkpoints.load_latest(run.path)
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
            writer.truncate_after(position.step)
            checkpoints.discard_after(run.path, position.step)
            if loaded is not None and loaded.warning:
                _log(run, loaded.warning)
            recorder = _recorder(run, writer, parts, experiment, schedules)
            command = state.get("last_command")
            last = command if isinstance(command, int) else 0
            edits = edits_to_repeat(writer, position.step, last, changed)
            if overrides or changed:
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


def _recorder(
    run: RunFolder,
    writer: RunWriter,
    parts: DataParts,
    experiment: Experiment,
    schedules: Mapping[str, Schedule] | None,
) -> Recorder:
    training = experiment.training
    recorder = Recorder(run, writer, parts, training.checkpoint_seconds, training.keep_checkpoints)
    recorder.extra = {"hyperparameters": hyperparameters(experiment), "schedules": sorted(schedules or {})}
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
    reporter = _Reporter(listener, recorder.metrics) if listener is not None else None
    trainer.callbacks = [*callbacks, recorder, *([reporter] if reporter is not None else [])]
    if reporter is not None:
        recorder.on_pause = lambda: reporter.report(trainer, "paused")
    splits = {}
    if parts.validation is not None:
        splits["validation"] = parts.validation
    _log(run, f"training from step {position.step} with {trainer.network.threads} threads")
    with _stopped_by_signals(trainer) if stop_on_signal else contextlib.nullcontext():
        try:
            trainer.fit_datasets(
                parts.train,
                splits,
                epochs=training.epochs,
                evaluate_every=training.evaluate_every,
                position=position,
            )
            finished = trainer.position.epoch >= training.epochs
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
    _log(run, f"{state} at step {trainer.position.step}")
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
