"""From a trainer to a checkpoint and back, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import DataParts, HardSampler, Transform
from ravine.data.tables.encoder import TableEncoder
from ravine.data.targets import check_targets
from ravine.errors import CheckpointError, InputError
from ravine.hyperparameters import REGULARIZATION
from ravine.training.checkpoint import Checkpoint
from ravine.training.early_stopping import EarlyStopping
from ravine.training.slices import SLOT_PREFIX, gathered, sliced
from ravine.training.trainer import Position, Trainer
from ravine.training.weights import by_name, training_weights

TRANSFORM_PREFIX = "preprocessing."
SAMPLER_LOSSES = "sampler.losses"
TARGET_PREFIX = "target_preprocessing."
_REALS = {"loss", "weight", "seconds"}  # of a position; all else is counted


def snapshot(
    trainer: Trainer, parts: DataParts, metrics: dict[str, float], extra: dict[str, Any]
) -> Checkpoint:
    """All that a resume and a prediction need: weights, optimizer state, counters, position, preprocessing.

    The tensors that have the names of parameters are the weights that answer; where they are averages, those
    that train are there too.
    The arrays are views: save the checkpoint, or copy them, before training goes on. Where ranks share the
    network they are whole, and the others put them together with this one.
    """
    optimizer, transform = trainer.optimizer, parts.transform
    trainer.meeting.call_for_weights()
    tensors = weights_and_slots(trainer)
    losses = _sampler_losses(trainer)
    if losses is not None:
        tensors[SAMPLER_LOSSES] = losses
    tensors |= _transform_tensors(transform, TRANSFORM_PREFIX)
    if parts.target_transform is not None:
        tensors |= _transform_tensors(parts.target_transform, TARGET_PREFIX)
    state = {
        "position": asdict(trainer.position),
        "optimizer": optimizer.settings,
        "regularization": optimizer.regularization,
        "optimizer_steps": optimizer.step_count,
        "schedule_state": trainer.schedules.state(),
        "early_stopping": None if trainer.early_stopping is None else trainer.early_stopping.state(),
        "averaged_weights": None if trainer.averaged is None else trainer.averaged.count,
        "sampler_epoch": None if losses is None else trainer.position.epoch,
        "samples_at_once": trainer.network.batch_size,
        "preprocessing": transform.kind,
        "target_preprocessing": "none" if parts.target_transform is None else parts.target_transform.kind,
        "encoder": None if parts.encoder is None else parts.encoder.state(),
        "class_names": list(parts.summary.class_names),
        "data_hash": parts.summary.content_hash,
        **extra,
    }
    return Checkpoint(trainer.position.step, tensors, state, metrics)


def weights_and_slots(trainer: Trainer) -> dict[str, NDArray[Any]]:
    """What training changes, by its names in a checkpoint. All ranks that share the network join in."""
    tensors: dict[str, NDArray[Any]] = trainer.network.parameters | trainer.network.state
    tensors |= {SLOT_PREFIX + name: values for name, values in trainer.optimizer.slots.items()}
    if trainer.averaged is not None:
        tensors |= trainer.averaged.tensors()
    if trainer.early_stopping is not None:
        tensors |= trainer.early_stopping.tensors()
    return gathered(trainer.network, tensors)


def _sampler_losses(trainer: Trainer) -> NDArray[np.float64] | None:
    """What the order of the epoch that runs follows from, where it follows from losses."""
    sampler = None if trainer.plan is None else trainer.plan.source.sampler
    if not isinstance(sampler, HardSampler) or sampler.epoch != trainer.position.epoch:
        return None
    return sampler.losses


def copied(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with arrays of its own."""
    tensors = {name: values.copy() for name, values in checkpoint.tensors.items()}
    return Checkpoint(checkpoint.step, tensors, checkpoint.state, checkpoint.metrics)


def restored_position(checkpoint: Checkpoint, path: Path) -> Position:
    """The position that a checkpoint holds.

    Raises:
        CheckpointError: it holds none, or one that cannot be.
    """
    stored = checkpoint.state.get("position")
    names = {field.name for field in fields(Position)}
    if isinstance(stored, dict) and "weight" not in stored:  # version 0.1 began without weights of samples
        stored = {**stored, "weight": stored.get("rows")}
    if not isinstance(stored, dict) or set(stored) != names:
        raise CheckpointError("holds no training position; it was not written by a training run", file=path)
    integers = all(isinstance(stored[name], int) and stored[name] >= 0 for name in names - _REALS)
    if not integers or not all(isinstance(stored[name], (int, float)) for name in _REALS):
        raise CheckpointError("holds a training position that cannot be", file=path)
    return Position(**stored)


def restore_network(network: _core.Network, checkpoint: Checkpoint, path: Path) -> None:
    """Copies the weights of a checkpoint, and what layers keep beside them, into a network.

    Raises:
        CheckpointError: a tensor is missing or has another shape; both shapes are named.
    """
    _restore_network(network, _sliced(network, checkpoint, path), path)


def _restore_network(network: _core.Network, checkpoint: Checkpoint, path: Path) -> None:
    for name, values in (network.parameters | network.state).items():
        _copy(name, checkpoint, values, path)


def _sliced(network: _core.Network, checkpoint: Checkpoint, path: Path) -> Checkpoint:
    try:
        return sliced(network, checkpoint)
    except CheckpointError as error:
        raise CheckpointError(error.message, file=path) from None


def restore(trainer: Trainer, checkpoint: Checkpoint, path: Path, *, changed: Collection[str] = ()) -> None:
    """Puts weights, optimizer state, counters and hyperparameters back, live edits included.

    Args:
        trainer: built from the run's experiment.
        checkpoint: a verified checkpoint.
        path: of the checkpoint, for messages.
        changed: hyperparameters that keep the value that the trainer has.
    """
    network, optimizer = trainer.network, trainer.optimizer
    trainer.attach()
    checkpoint = _sliced(network, checkpoint, path)
    _restore_network(network, checkpoint, path)
    for name, values in optimizer.slots.items():
        if SLOT_PREFIX + name not in checkpoint.tensors:
            raise CheckpointError(
                f"holds no '{name}' of the optimizer; what decides on its state, such as the length of a "
                "history, cannot change in the middle of a run",
                file=path,
            )
        _copy(SLOT_PREFIX + name, checkpoint, values, path)
    steps = checkpoint.state.get("optimizer_steps")
    if not isinstance(steps, int):
        raise CheckpointError("holds no step count of the optimizer", file=path)
    optimizer.step_count = steps
    network.step = steps
    _restore_sampler(trainer, checkpoint, path)
    try:
        trainer.schedules.restore(checkpoint.state.get("schedule_state", {}), changed=changed)
        _restore_early_stopping(trainer, checkpoint)
        _restore_averaged(trainer, checkpoint)
    except CheckpointError as error:
        raise CheckpointError(error.message, file=path) from None
    stored = checkpoint.state.get("optimizer")
    if not isinstance(stored, dict) or stored.get("type") != optimizer.settings["type"]:
        return
    numbers = {name: value for name, value in stored.items() if isinstance(value, float)}
    numbers |= _regularization(checkpoint, path)
    for name, value in numbers.items():
        if name not in changed:
            optimizer.set(name, value)


def _restore_sampler(trainer: Trainer, checkpoint: Checkpoint, path: Path) -> None:
    epoch = checkpoint.state.get("sampler_epoch")
    if epoch is None:
        return
    losses = checkpoint.tensors.get(SAMPLER_LOSSES)
    if not isinstance(epoch, int) or losses is None or losses.dtype != np.float64:
        raise CheckpointError("holds no losses of the samples, which their order follows from", file=path)
    trainer.observed_losses = (epoch, np.array(losses))


def _restore_early_stopping(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """A run that no longer stops early goes on from its last weights, not from the best."""
    stored = checkpoint.state.get("early_stopping")
    if stored is None:
        return
    stopping = trainer.early_stopping or EarlyStopping(1)
    stopping.restore(stored, checkpoint.tensors, trainer.network)
    if trainer.early_stopping is None and stopping.restored:
        stopping.swap(trainer.network)


def _restore_averaged(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """A run that no longer averages goes on from the weights that train."""
    count = checkpoint.state.get("averaged_weights")
    if count is None:
        return
    if trainer.averaged is not None:
        trainer.averaged.restore(count, checkpoint.tensors)
        return
    trained = by_name(trainer.network, training_weights(trainer.network, checkpoint.tensors))
    stopping = trainer.early_stopping
    last = stopping.weights if stopping is not None and stopping.restored else trainer.network.parameters
    for name, values in trained.items():
        last[name][...] = values


def _regularization(checkpoint: Checkpoint, path: Path) -> dict[str, float]:
    """The numbers by name; version 0.1 began with two of them beside the others of the state."""
    stored = checkpoint.state.get("regularization", checkpoint.state)
    if not isinstance(stored, dict):
        raise CheckpointError("holds no regularization", file=path)
    numbers = {name: stored.get(name, 0.0) for name in REGULARIZATION}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise CheckpointError(f"holds a number {name} that cannot be", file=path)
    return numbers


def restore_transform(checkpoint: Checkpoint) -> Transform:
    """The preprocessing that the run was trained with."""
    kind = str(checkpoint.state.get("preprocessing", "none"))
    return _restored_transform(checkpoint, kind, TRANSFORM_PREFIX)


def restore_target_transform(checkpoint: Checkpoint) -> Transform | None:
    """What the targets were transformed by; None where they were left alone, as in the first versions.

    Raises:
        InputError: a transform that cannot be one of targets.
    """
    kind = str(checkpoint.state.get("target_preprocessing", "none"))
    return None if kind == "none" else check_targets(_restored_transform(checkpoint, kind, TARGET_PREFIX))


def _transform_tensors(transform: Transform, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays of a transform, by their names in a checkpoint."""
    return {prefix + name: values for name, values in transform.state().items() if name != "kind"}


def _restored_transform(checkpoint: Checkpoint, kind: str, prefix: str) -> Transform:
    state = {
        name.removeprefix(prefix): values
        for name, values in checkpoint.tensors.items()
        if name.startswith(prefix)
    }
    return Transform.from_state({"kind": np.frombuffer(kind.encode(), np.uint8), **state})


def restore_encoder(checkpoint: Checkpoint, path: Path) -> TableEncoder | None:
    """What made numbers of the columns of a table that the run was trained on; None for other data.

    Raises:
        CheckpointError: it cannot be used.
    """
    state = checkpoint.state.get("encoder")
    if state is None:
        return None
    try:
        return TableEncoder.from_state(state)
    except InputError as error:
        raise CheckpointError(str(error), file=path) from None


def _copy(name: str, checkpoint: Checkpoint, target: NDArray[Any], path: Path) -> None:
    source = checkpoint.tensors.get(name)
    if source is None:
        raise CheckpointError(f"holds no tensor '{name}'; it belongs to another network", file=path)
    if source.shape != target.shape or source.dtype != target.dtype:
        raise CheckpointError(
            f"tensor '{name}' is {source.dtype} {list(source.shape)}, the network needs "
            f"{target.dtype} {list(target.shape)}",
            file=path,
        )
    target[...] = source
