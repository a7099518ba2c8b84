"""The source "images": pictures in class folders, in a folder, a tar or a zip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ravine.data.dataset import Dataset
from ravine.data.files import folder_or_file
from ravine.data.images.pictures import Pictures, read_pictures, with_classes
from ravine.data.settings import DataSettings
from ravine.data.source import TEST, TRAIN, VALIDATION, ArraySource, Sources, named
from ravine.errors import InputError

PART_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """Parts from folders or archives of their own, or from folders train, validation and test in one."""
    if settings.images.labels and (settings.validation_file or settings.test_file):
        raise InputError(
            "says the classes of the pictures in `data.file` alone; leave out `validation_file` and "
            "`test_file`, and divide with [data.split]",
            key="data.images.labels",
        )
    found: dict[str, ArraySource] = {}
    for key, part in (("file", TRAIN), ("validation_file", VALIDATION), ("test_file", TEST)):
        if not getattr(settings, key):
            continue
        with named(f"data.{key}"):
            root = folder_or_file(getattr(settings, key), base)
            pictures = read_pictures(root, settings.images, threads=threads)
            if part == TRAIN:
                class_names = pictures.class_names
                for inner, name in PART_NAMES.items():
                    if np.any(pictures.parts == inner):
                        found[name] = _source(pictures, pictures.parts == inner, name, root)
            else:
                name = PART_NAMES[part]
                if name in found:
                    raise InputError(
                        f"gives {name} pictures, but `data.file` holds a folder of them too", file=root
                    )
                found[name] = _source(with_classes(pictures, class_names, root), None, name, root)
    return Sources(found["train"], found.get("validation"), found.get("test"))


def _source(pictures: Pictures, mask: np.ndarray | None, name: str, root: Path) -> ArraySource:
    """Some of the pictures, which lie one after another."""
    rows = slice(None)
    if mask is not None:
        (places,) = np.nonzero(mask)
        rows = slice(int(places[0]), int(places[-1]) + 1)
    names = pictures.class_names
    samples = Dataset(pictures.pixels[rows], pictures.labels[rows], len(names), names, name)
    return ArraySource(samples, root)
