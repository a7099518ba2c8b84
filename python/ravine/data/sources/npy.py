"""The source "npy": arrays in NumPy's NPY files, which may be larger than the memory."""

from __future__ import annotations

from pathlib import Path

from ravine.data.dataset import as_dataset
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
    with named(f"data.{prefix}inputs"):
        file = locate(getattr(settings, f"{prefix}inputs"), base)
        inputs = map_npy(file)
    with named(f"data.{prefix}targets"):
        targets = read_npy(locate(getattr(settings, f"{prefix}targets"), base))
    arrays = [inputs, targets]
    if settings.weights and not prefix:
        with named("data.weights"):
            arrays.append(read_npy(locate(settings.weights, base)))
    name = prefix.removesuffix("_") or "data"
    with named(f"data.{prefix}inputs", file):
        return ArraySource(as_dataset(*arrays, task=settings.task, classes=classes, name=name), file)
