"""The source "idx": images and labels in IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ravine.data.dataset import as_dataset
from ravine.data.files import locate
from ravine.data.idx import read_idx
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources, named
from ravine.errors import InputError


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """The pairs of files of each part; only those for training must be there."""
    return Sources(
        _read_pair(settings, base, "train", classes),
        _read_pair(settings, base, "validation", classes) if settings.validation_images else None,
        _read_pair(settings, base, "test", classes) if settings.test_images else None,
    )


def _read_pair(settings: DataSettings, base: Path, part: str, classes: int) -> ArraySource:
    files, arrays = [], []
    for what in ("images", "labels"):
        with named(f"data.{part}_{what}"):
            files.append(locate(getattr(settings, f"{part}_{what}"), base))
            arrays.append(read_idx(files[-1]))
    inputs, targets = arrays
    if inputs.ndim < 2:
        raise InputError(
            f"holds {list(inputs.shape)} values, expected images [samples, height, width]",
            file=files[0],
            key=f"data.{part}_images",
        )
    # Only the labels can be at fault from here on, or, in floating files, a value that is not finite.
    bytes_only = inputs.dtype == np.uint8
    with named(f"data.{part}_labels" if bytes_only else f"data.{part}", files[1 if bytes_only else 0]):
        samples = as_dataset(inputs, targets, task=settings.task, classes=classes, name=part)
    return ArraySource(samples, files[0])
