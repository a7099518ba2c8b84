"""The source "npz": arrays in NumPy's NPZ files."""

from __future__ import annotations

from pathlib import Path

from ravine.data.dataset import as_dataset
from ravine.data.files import locate
from ravine.data.npz import npz_names, read_npz
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources, named

DEFAULT_INPUTS = ("inputs", "x", "X")
DEFAULT_TARGETS = ("targets", "y", "Y")


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """The arrays of each file; those of validation and test are optional."""
    return Sources(
        _read_file(settings, base, "file", classes),
        _read_file(settings, base, "validation_file", classes) if settings.validation_file else None,
        _read_file(settings, base, "test_file", classes) if settings.test_file else None,
    )


def _read_file(settings: DataSettings, base: Path, field: str, classes: int) -> ArraySource:
    key = f"data.{field}"
    with named(key):
        file = locate(getattr(settings, field), base)
        names = npz_names(file)
        chosen = []
        for asked, defaults in ((settings.inputs, DEFAULT_INPUTS), (settings.targets, DEFAULT_TARGETS)):
            chosen.append(asked or next((name for name in defaults if name in names), defaults[0]))
        if settings.weights and (field == "file" or settings.weights in names):
            chosen.append(settings.weights)
        arrays = read_npz(file, chosen)
    with named(key, file):
        samples = as_dataset(
            *(arrays[name] for name in chosen), task=settings.task, classes=classes, name="data"
        )
    return ArraySource(samples, file)
