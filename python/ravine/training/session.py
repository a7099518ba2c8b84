"""A training with a run folder: recorded, checkpointed, steered by commands and signals, resumable."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ravine import _core, distributed
from ravine.data import DataParts
from ravine.distributed.communicator import Communicator
from ravine.distributed.ranks import Ranks
from ravine.errors import RunError
from ravine.experiment import Experiment, RegularizationSettings, load_experiment, to_toml
from ravine.groups import GroupSettings
from ravine.runs import RunFolder, RunWriter
from ravine.training import checkpoint as checkpoints
from ravine.training.lsuv import calibrate
from ravine.training.preparation import Arrays, balanced_loss, build, load_parts
from ravine.training.progress import Listener
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
from ravine.training.sharing import (
    loaded_in_order,
    same_data,
    same_experiment,
    shared_checkpoint,
    shared_experiment,
)
from ravine.training.sitting import Outcome as Outcome
from ravine.training.sitting import Sitting
from ravine.training.snapshot import restore, restored_position
from ravine.training.trainer import Callback, Position, Trainer


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
    world: Communicator | None = None,
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
        world: the ranks that train together, all of which call this; None: those that mpirun has started, or
            this process alone. Rank 0 writes the run folder.

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
    world = distributed.start() if world is None else world
    with world.together(), contextlib.ExitStack() as stack:
        same_experiment(world, experiment)
        ranks = Ranks(world, experiment.parallel)
        parts = loaded_in_order(world, lambda: load_parts(experiment, data, test_data))
        same_data(ranks, parts)
        experiment = msgspec.structs.replace(experiment, loss=balanced_loss(experiment, parts))
        trainer = build(experiment, parts, optimizer, schedules, ranks)
        calibrated = _calibrated(trainer, experiment, parts)
        recorder = None
        if world.leads:
            if folder is None:
                run = RunFolder.create(parent, experiment.name)
            else:
                if folder.exists():
                    raise RunError("exists already; resume it, or choose another name", file=folder)
                run = RunFolder.create(folder.parent, folder.name)
            stack.enter_context(run.lock())
            run.write_experiment(to_toml(experiment))
            writer = stack.enter_context(run.writer(trainer.network.columns))
            recorder = _recorder(run, writer, parts, experiment, schedules)
            if calibrated:
                recorder.log(calibrated)
        sitting = Sitting(trainer, parts, experiment, recorder, callbacks, listener)
        return sitting.run(Position(), stop_on_signal)


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
    world: Communicator | None = None,
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
        listener, stop_on_signal, world: as in `train_experiment`. Only rank 0 needs to find the run folder.

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
    world = distributed.start() if world is None else world
    with world.together(), contextlib.ExitStack() as stack:
        check_overrides(overrides)
        run = RunFolder(path)
        if world.leads:
            run = RunFolder.open(path)
            stack.enter_context(run.lock())
        experiment = shared_experiment(world, lambda: load_experiment(run.experiment_path, overrides))
        ranks = Ranks(world, experiment.parallel)
        parts = loaded_in_order(world, lambda: load_parts(experiment, data, test_data))
        same_data(ranks, parts)
        trainer = build(experiment, parts, optimizer, schedules, ranks)
        loaded = shared_checkpoint(world, lambda: _chosen(run, checkpoint))
        if loaded is None:
            position, state = Position(), dict[str, object]()
            _calibrated(trainer, experiment, parts)
        else:
            position = restored_position(loaded.checkpoint, loaded.path)
            state = loaded.checkpoint.state
            check_same_data(state, parts, loaded.path)
            check_same_batches(trainer, position, len(parts.train))
            check_same_schedules(state, schedules or {})
        changed = changed_settings(experiment, overrides, state)
        if loaded is not None:
            restore(trainer, loaded.checkpoint, loaded.path, changed=changed)
        recorder = None
        if world.leads:
            writer = stack.enter_context(run.writer(trainer.network.columns))
            recorder = _recorder(run, writer, parts, experiment, schedules)
            restarts = bool(overrides or changed)
            _cut_back(recorder, trainer, position, loaded, chosen=checkpoint != "last", restarts=restarts)
            command = state.get("last_command")
            last = command if isinstance(command, int) else 0
            edits = edits_to_repeat(writer, position.step, last, changed)
            unended = steps_are_done(trainer, position, len(parts.train))
            recorder.restore(position, last, edits, unended=unended, changed=restarts)
            if overrides:
                # From here on the change stands: a kill before the next checkpoint does not undo it.
                run.write_experiment(to_toml(experiment))
            if restarts:
                values = hyperparameters(experiment)
                settings = list(overrides) or [f"{name}={values[name]}" for name in sorted(changed)]
                writer.record_event(position.step, position.seconds, "settings", {"set": settings})
        sitting = Sitting(trainer, parts, experiment, recorder, callbacks, listener)
        return sitting.run(position, stop_on_signal)


def _chosen(run: RunFolder, checkpoint: str) -> checkpoints.LoadedCheckpoint | None:
    """The checkpoint that a user's word means; None where a run has none yet and begins anew."""
    none = checkpoints.latest(run.path) is None and not checkpoints.best_path(run.path).exists()
    return None if none and checkpoint == "last" else checkpoints.load_named(run.path, checkpoint)


def _cut_back(
    recorder: Recorder,
    trainer: Trainer,
    position: Position,
    loaded: checkpoints.LoadedCheckpoint | None,
    *,
    chosen: bool,
    restarts: bool,
) -> None:
    """Makes the run folder that of a run which has come to a position, and no further.

    Args:
        recorder: of the run folder.
        trainer: that goes on.
        position: where.
        loaded: the checkpoint, if there is one.
        chosen: it need not be the last.
        restarts: the run goes on with other settings.
    """
    run, writer = recorder.run, recorder.writer
    if chosen and loaded is not None:
        recorder.log(f"goes on from {loaded.path.name}; what came after step {position.step} is dropped")
        checkpoints.keep_as_step(loaded.path, position.step)
    # Files first: a kill in between leaves no checkpoint that is ahead of the record.
    checkpoints.discard_after(run.path, position.step)
    writer.truncate_after(position.step)
    if loaded is not None and loaded.warning:
        recorder.log(loaded.warning)
    if restarts or chosen:
        remove_stale_best(run.path, position.step)


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
