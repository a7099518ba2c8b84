"""The source "npz": arrays in NumPy's NPZ files."""

from __future__ import annotations

from pathlib import Path

from ravine.data.dataset import as_dataset
from ravine.data.division import groups_of, parts_of
from ravine.data.files import locate
from ravine.data.npz import npz_names, read_npz
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources, named
from ravine.errors import InputError

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
    key, split = f"data.{field}", settings.split
    with named(key):
        file = locate(getattr(settings, field), base)
        names = npz_names(file)
        chosen = []
        for asked, defaults in ((settings.inputs, DEFAULT_INPUTS), (settings.targets, DEFAULT_TARGETS)):
            chosen.append(asked or next((name for name in defaults if name in names), defaults[0]))
        if settings.weights and (field == "file" or settings.weights in names):
            chosen.append(settings.weights)
        columns = [name for name in (split.group, split.column) if name and field == "file"]
        arrays = read_npz(file, [*chosen, *columns])
    with named(key, file):
        samples = as_dataset(
            *(arrays[name] for name in chosen), task=settings.task, classes=classes, name="data"
        )
    for name, setting in ((split.group, "group"), (split.column, "column")):
        if name in columns and (arrays[name].size != len(samples) or len(arrays[name]) != len(samples)):
            raise InputError(
                f"array {name!r} has shape {list(arrays[name].shape)}, expected one value for each of the "
                f"{len(samples):,} samples",
                file=file,
                key=f"data.split.{setting}",
            )
    groups = groups_of(arrays[split.group]) if split.group in columns else None
    parts = parts_of(arrays[split.column], split, file) if split.column in columns else None
    return ArraySource(samples, file, groups, parts)
