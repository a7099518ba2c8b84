"""Checkpoints of a run: whole or absent, the last few and the best kept, damaged ones passed over."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from ravine.errors import CheckpointError
from ravine.runs import checkpoint_file, files
from ravine.runs.checkpoint_file import Checkpoint, digest, load

__all__ = [
    "Checkpoint",
    "LoadedCheckpoint",
    "SavedCheckpoint",
    "SavedFile",
    "best_path",
    "checkpoint_path",
    "digest",
    "discard_after",
    "keep_as_step",
    "latest",
    "load",
    "load_latest",
    "load_named",
    "named_path",
    "save",
    "saved_files",
]

Kind = Literal["last", "best"]
_BEST = "best.safetensors"
_STEP_NAME = re.compile(r"step-(\d{1,18})")


class SavedCheckpoint(NamedTuple):
    """A checkpoint on the disk; ``sha256`` is the seal, which covers every byte of the file."""

    path: Path
    sha256: str
    size: int


class LoadedCheckpoint(NamedTuple):
    """A verified checkpoint; ``warning`` says so if a newer one was damaged and passed over."""

    checkpoint: Checkpoint
    path: Path
    warning: str | None


class SavedFile(NamedTuple):
    """A checkpoint that is there; of its bytes only the header has been verified.

    Args:
        name: what `ravine resume --checkpoint` calls it: "best", or "step-00001234".
        path: its file.
        step: after which it was saved.
        saved: when, as a Unix time.
        metrics: "train.loss" and so on, that it was saved with.
    """

    name: str
    path: Path
    step: int
    saved: float
    metrics: dict[str, float]


def checkpoint_path(folder: Path, step: int) -> Path:
    """The file of a step: ``<run folder>/checkpoints/step-00001234.safetensors``."""
    return Path(folder) / "checkpoints" / f"step-{step:08d}.safetensors"


def best_path(folder: Path) -> Path:
    """The file of the best checkpoint: ``<run folder>/checkpoints/best.safetensors``."""
    return Path(folder) / "checkpoints" / _BEST


def save(
    folder: Path,
    checkpoint: Checkpoint,
    *,
    keep_last: int = 3,
    kind: Kind = "last",
    metrics: Mapping[str, float] | None = None,
    allow: Collection[str] = (),
) -> SavedCheckpoint:
    """Saves a checkpoint, whole or not at all, and removes all but the newest.

    Args:
        folder: the run folder; the file goes to its ``checkpoints/``.
        checkpoint: what to save; its arrays are written from where they lie.
        keep_last: how many to keep, at least 1; the best is kept besides.
        kind: ``best`` also makes it ``best.safetensors``; the best before stays until that moment.
        metrics: metrics to store with it, instead of ``checkpoint.metrics``.
        allow: names of tensors in which NaN and Inf are no reason to refuse.

    Returns:
        The file, its seal and its size in bytes.

    Raises:
        CheckpointError: a tensor is not finite or of another dtype, or the file cannot be written; the
            checkpoints before are untouched. An old one that cannot be removed raises too; the new one is
            then whole.

    Example:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = save(Path(folder), Checkpoint(7, {"0.weight": np.ones((2, 3), np.float32)}))
        ...     saved.path.name, load(saved.path).step
        ('step-00000007.safetensors', 7)
    """
    if keep_last < 1:
        raise ValueError(f"keep_last must be at least 1, got {keep_last}")
    if not 0 <= checkpoint.step < 10**18:
        raise ValueError(f"step must be in 0..10^18, got {checkpoint.step}")
    path = checkpoint_path(folder, checkpoint.step)
    tensors = checkpoint_file.checked(path, checkpoint.tensors, allow)
    texts = checkpoint_file.encoded_texts(
        path, checkpoint, checkpoint.metrics if metrics is None else metrics
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(path) as file:
            seal = checkpoint_file.write(file, tensors, texts)
            size = file.size
            if kind == "best":
                # Before the step's own name appears: whoever resumes from this step finds this best.
                files.link_whole(files.temporary_path(path), best_path(folder))
    except OSError as error:
        raise CheckpointError(
            f"step {checkpoint.step} cannot be saved: {files.cause(error)}", file=error.filename or path
        ) from error
    _prune(path, keep_last)
    return SavedCheckpoint(path, seal, size)


def _step_files(folder: Path) -> list[tuple[int, Path]]:
    """Checkpoints by step, the newest first. Temporary files and strangers do not count."""
    found = []
    try:
        for path in folder.iterdir():
            if match := checkpoint_file.STEP_FILE.fullmatch(path.name):
                found.append((int(match[1]), path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"cannot be read: {files.cause(error)}", file=folder) from error
    return sorted(found, reverse=True)


def _prune(newest: Path, keep_last: int) -> None:
    others = [path for _, path in _step_files(newest.parent) if path != newest]
    for path in others[keep_last - 1 :]:
        _remove(path)


def _remove(path: Path) -> None:
    try:
        files.remove(path)
    except OSError as error:
        raise CheckpointError(
            f"an old checkpoint cannot be removed: {files.cause(error)}", file=path
        ) from error


def discard_after(folder: Path, step: int) -> None:
    """Removes checkpoints after a step, when training resumes from that step; the best stays.

    Raises:
        CheckpointError: a file cannot be removed.
    """
    for number, path in _step_files(Path(folder) / "checkpoints"):
        if number > step:
            _remove(path)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint of a run folder, not yet verified; None if there is none."""
    found = _step_files(Path(folder) / "checkpoints")
    return found[0][1] if found else None


def named_path(folder: Path, name: str) -> Path:
    """The file that a user's word for a checkpoint means: "best", "step-1234" or "step-00001234".

    Raises:
        CheckpointError: there is none of that name; those that are there are named.

    Example:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = save(Path(folder), Checkpoint(7, {"0.weight": np.ones((2, 3), np.float32)}))
        ...     named_path(Path(folder), "step-7").name
        'step-00000007.safetensors'
    """
    stem = name.removesuffix(".safetensors")
    number = _STEP_NAME.fullmatch(stem)
    path = best_path(folder) if stem == "best" else None
    if number is not None:
        path = checkpoint_path(folder, int(number[1]))
    if path is None or not path.exists():
        names = [one.name for one in saved_files(folder)]
        there = ", ".join(["last", *names]) if names else "none"
        raise CheckpointError(f"no such checkpoint: {name!r}; there are: {there}", file=folder)
    return path


def saved_files(folder: Path) -> list[SavedFile]:
    """The checkpoints of a run folder, the newest step first, and then the best; damaged ones are left out.

    Raises:
        CheckpointError: the folder cannot be read.
    """
    found = []
    for path in [*(path for _, path in _step_files(Path(folder) / "checkpoints")), best_path(folder)]:
        with contextlib.suppress(OSError, CheckpointError):
            saved, header = path.stat().st_mtime, checkpoint_file.load_header(path)
            found.append(SavedFile(path.stem, path, header.step, saved, header.metrics))
    return found


def keep_as_step(path: Path, step: int) -> None:
    """Gives the best checkpoint the name of its step too, so that what is resumed from it begins with it.

    Raises:
        CheckpointError: that cannot be done.
    """
    target = path.with_name(checkpoint_path(Path(), step).name)
    if target.exists():
        return
    try:
        files.link_whole(path, target)
    except OSError as error:
        raise CheckpointError(f"cannot be saved: {files.cause(error)}", file=target) from error


def load_latest(folder: Path) -> LoadedCheckpoint:
    """Loads the newest checkpoint that is whole.

    Args:
        folder: the run folder.

    Returns:
        The checkpoint, its file, and a warning that names what was passed over, or None.

    Raises:
        CheckpointError: there is none, or none is whole.
    """
    problems: list[str] = []
    paths = [path for _, path in _step_files(Path(folder) / "checkpoints")]
    if best_path(folder).exists():
        paths.append(best_path(folder))
    for path in paths:
        try:
            checkpoint = load(path)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        warning = f"{'; '.join(problems)}; loaded {path.name} instead" if problems else None
        return LoadedCheckpoint(checkpoint, path, warning)
    if problems:
        raise CheckpointError(f"no checkpoint is whole: {'; '.join(problems)}", file=folder)
    raise CheckpointError("holds no checkpoint yet; start the run anew with `ravine train`", file=folder)


def load_named(folder: Path, name: str) -> LoadedCheckpoint:
    """Loads the checkpoint that a user's word means: "last" for `load_latest`, or as in `named_path`."""
    if name == "last":
        return load_latest(folder)
    path = named_path(folder, name)
    return LoadedCheckpoint(load(path), path, None)
