"""What must hold, and what must be made up for, when a run goes on from a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ravine.data import DataParts
from ravine.errors import InputError
from ravine.experiment import Experiment
from ravine.runs import Command, RunWriter
from ravine.training.trainer import Position, Trainer

# What may change between two sittings of a run; anything else would make it another run.
CHANGEABLE = (
    "training.epochs", "training.evaluate_every", "training.checkpoint_seconds", "training.keep_checkpoints",
    "compute.threads", "compute.device", "statistics.every", "optimizer.", "regularization.",
)  # fmt: skip


def check_overrides(overrides: Sequence[str]) -> None:
    """Raises InputError if an override would make it another run."""
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key == "optimizer.type" or not key.startswith(CHANGEABLE):
            raise InputError(
                "cannot change in the middle of a run; start a new one with `ravine train`", key=key
            )


def changed_settings(experiment: Experiment, overrides: Sequence[str]) -> set[str]:
    """Names of the optimizer's settings that overrides give."""
    changed: set[str] = set()
    for override in overrides:
        section, _, name = override.partition("=")[0].strip().partition(".")
        if section == "optimizer":
            changed |= {name} if name else set(experiment.optimizer)
        elif section == "regularization":
            changed |= {name} if name else {"l2", "clip_norm"}
    return changed


def edits_to_repeat(writer: RunWriter, step: int, last: int, changed: Collection[str]) -> list[Command]:
    """Edits that were made after a checkpoint was saved, in their order, but those that overrides replace."""
    edits = []
    for command in writer.commands_taken_after(step - 1):
        if command.kind != "set" or command.id <= last:
            continue
        if command.payload["name"] in changed:
            writer.acknowledge(command.id, step, "refused", "replaced by a setting given to resume")
        else:
            edits.append(command)
    return edits


def check_same_data(state: dict[str, object], parts: DataParts, path: Path) -> None:
    """Raises InputError if the data is not what the run was trained on."""
    saved = state.get("data_hash")
    if saved != parts.summary.content_hash:
        raise InputError(
            f"the data is not what the run was trained on (hash {str(saved)[:12]}..., "
            f"now {parts.summary.content_hash[:12]}...); restore the data, or start a new run",
            file=path,
            key="data",
        )


def check_same_batches(trainer: Trainer, position: Position) -> None:
    """Raises InputError if the batches of the epoch that runs were not of the size of the trainer's."""
    if position.rows != position.batch * trainer.batch_size:
        raise InputError(
            f"is {trainer.batch_size}, but epoch {position.epoch + 1} began with "
            f"{position.rows // max(1, position.batch)}; set it back, or start a new run",
            key="training.batch_size",
        )
