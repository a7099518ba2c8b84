"""What must hold, and what must be made up for, when a run goes on from a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ravine.data import DataParts
from ravine.errors import CheckpointError, InputError
from ravine.experiment import Experiment
from ravine.hyperparameters import REGULARIZATION
from ravine.runs import Command, RunWriter, files
from ravine.training import checkpoint as checkpoints
from ravine.training.batches import rows_of_batch
from ravine.training.trainer import Position, Trainer

# What may change between two sittings of a run; anything else would make it another run.
CHANGEABLE = (
    "training.epochs", "training.evaluate_every", "training.checkpoint_seconds", "training.keep_checkpoints",
    "training.patience", "training.minimum_change", "training.micro_batch",
    "compute.threads", "compute.device", "compute.checkpoint_every", "compute.share_memory",
    "compute.device_steps", "compute.device_data",
    "statistics.", "optimizer.", "regularization.",
    "schedules.", "parallel.",
)  # fmt: skip

REPLACED = "replaced by a setting given to resume"  # the answer to an edit that is not made again


def check_overrides(overrides: Sequence[str]) -> None:
    """Raises InputError if an override would make it another run."""
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key == "optimizer.type" or not key.startswith(CHANGEABLE):
            raise InputError(
                "cannot change in the middle of a run; start a new one with `ravine train`", key=key
            )


def hyperparameters(experiment: Experiment) -> dict[str, float]:
    """Numbers of the optimizer as the experiment file has them; live edits may have changed them since."""
    assert isinstance(experiment.optimizer, dict)
    numbers = {name: value for name, value in experiment.optimizer.items() if isinstance(value, float)}
    return {**numbers, **{name: getattr(experiment.regularization, name) for name in REGULARIZATION}}


def changed_settings(
    experiment: Experiment, overrides: Sequence[str], state: Mapping[str, object]
) -> set[str]:
    """Names of the optimizer's settings that the experiment gives anew.

    These are those that overrides name, and those that the file gives otherwise than when the checkpoint was
    saved: a resume that was killed before its own first checkpoint had then changed the file.
    """
    changed = set()
    for override in overrides:
        section, _, name = override.partition("=")[0].strip().partition(".")
        if section in ("optimizer", "regularization"):
            changed.add(name)
    saved = state.get("hyperparameters")
    if isinstance(saved, dict):
        numbers = hyperparameters(experiment)
        changed |= {name for name, value in numbers.items() if name in saved and saved[name] != value}
    return changed


def check_same_schedules(state: Mapping[str, object], schedules: Collection[str]) -> None:
    """Raises InputError if the run was trained with schedules in Python that were not given again."""
    saved = state.get("schedule_functions")
    for name in saved if isinstance(saved, list) else []:
        if name not in schedules:
            raise InputError(
                f"{name} followed a schedule that is a Python function; give it again: "
                f'resume_run(..., schedules={{"{name}": ...}})',
                key=f"schedules.{name}",
            )


def remove_stale_best(folder: Path, step: int) -> None:
    """Removes the best checkpoint if it is of the branch that is left, when settings change after a step."""
    path = checkpoints.best_path(folder)
    try:
        stale = path.exists() and checkpoints.load(path).step > step
    except CheckpointError:
        return  # damaged: whoever wants it is told
    if stale:
        files.remove(path)


def steps_are_done(trainer: Trainer, position: Position, samples: int) -> bool:
    """Whether all steps of the epoch that runs are done, but not its end."""
    size = rows_of_batch(trainer.batch_size, samples)
    return 0 < position.batch == (samples // size if trainer.drop_last else -(-samples // size))


def edits_to_repeat(writer: RunWriter, step: int, last: int, changed: Collection[str]) -> list[Command]:
    """Edits that were made after a checkpoint was saved, in their order, but those that overrides replace."""
    edits = []
    for command in writer.commands_taken_after(step - 1):
        if command.kind != "set" or command.id <= last:
            continue
        if command.payload["name"] in changed:
            writer.acknowledge(command.id, step, "refused", REPLACED)
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


def check_same_batches(trainer: Trainer, position: Position, samples: int) -> None:
    """Raises InputError if the batches of the epoch that runs were not of the size of the trainer's."""
    size = rows_of_batch(trainer.batch_size, samples)
    expected = position.batch * size
    if steps_are_done(trainer, position, samples):
        expected = min(expected, samples)  # the last batch may be smaller
    if position.rows != expected:
        raise InputError(
            f"is {size}, but epoch {position.epoch + 1} began with "
            f"{position.rows // max(1, position.batch)}; set it back, or start a new run",
            key="training.batch_size",
        )
