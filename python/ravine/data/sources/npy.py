"""The source "npy": arrays in NumPy's NPY files, which may be larger than the memory."""

from __future__ import annotations

from pathlib import Path

from ravine.data.checks import check_inputs, check_weights
from ravine.data.dataset import as_dataset, as_inputs, as_weights
from ravine.data.files import locate
from ravine.data.npz import map_npy, read_npy
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources, named


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """The arrays of each part; those of validation and test are optional."""
    return Sources(
        _read_part(settings, base, "", classes),
        _read_part(settings, base, "validation_", classes) if settings.validation_inputs else None,
        _read_part(settings, base, "test_", classes) if settings.test_inputs else None,
    )


def _read_part(settings: DataSettings, base: Path, prefix: str, classes: int) -> ArraySource:
    """The arrays of one part; each is checked by itself, so that an error names its file."""
    name = prefix.removesuffix("_") or "data"
    with named(f"data.{prefix}inputs"):
        file = locate(getattr(settings, f"{prefix}inputs"), base)
        stored = map_npy(file)
    with named(f"data.{prefix}inputs", file):
        inputs = as_inputs(stored, name)
        check_inputs(inputs, name)
    weights = None
    if settings.weights and not prefix:
        with named("data.weights"):
            weights_file = locate(settings.weights, base)
            read = read_npy(weights_file)
        with named("data.weights", weights_file):
            weights = as_weights(read, name)
            check_weights(weights, len(inputs), name)
    with named(f"data.{prefix}targets"):
        targets_file = locate(getattr(settings, f"{prefix}targets"), base)
        targets = read_npy(targets_file)
    with named(f"data.{prefix}targets", targets_file):
        samples = as_dataset(inputs, targets, weights, task=settings.task, classes=classes, name=name)
    return ArraySource(samples, file)
