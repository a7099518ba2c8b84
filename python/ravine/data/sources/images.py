"""The source "images": pictures in class folders, in a folder, a tar or a zip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ravine.data.dataset import Dataset
from ravine.data.files import locate
from ravine.data.images.pictures import Pictures, read_pictures
from ravine.data.settings import DataSettings
from ravine.data.source import TEST, TRAIN, VALIDATION, ArraySource, Sources, named
from ravine.errors import InputError

PART_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """Parts from folders or archives of their own, or from folders train, validation and test in one."""
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
    for name in ("validation", "test"):
        if name in found and getattr(settings.split, f"{name}_fraction") > 0:
            raise InputError(
                f"and {name} pictures of their own exclude each other: leave one of them out",
                key=f"data.split.{name}_fraction",
            )
    return Sources(found["train"], found.get("validation"), found.get("test"))


def folder_or_file(written: str | Path, base: Path) -> Path:
    """The folder or the file that a path means.

    Raises:
        InputError: there is neither.
    """
    path = base / written
    try:
        if path.is_dir():
            return path
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be used as a path: {error}", file=path) from error
    return locate(written, base)


def with_classes(pictures: Pictures, class_names: tuple[str, ...], root: Path) -> Pictures:
    """Pictures with labels by other class names, which must have theirs among them.

    Raises:
        InputError: a class that is not among them.
    """
    strange = [name for name in pictures.class_names if name not in class_names]
    if strange:
        known = ", ".join(map(repr, class_names[:10])) + (", ..." if len(class_names) > 10 else "")
        raise InputError(f"has a class folder {strange[0]!r}; the classes trained on are {known}", file=root)
    places = np.array([class_names.index(name) for name in pictures.class_names], np.int32)
    return Pictures(pictures.pixels, places[pictures.labels], pictures.parts, class_names, pictures.names)


def _source(pictures: Pictures, mask: np.ndarray | None, name: str, root: Path) -> ArraySource:
    """Some of the pictures, which lie one after another."""
    rows = slice(None)
    if mask is not None:
        (places,) = np.nonzero(mask)
        rows = slice(int(places[0]), int(places[-1]) + 1)
    names = pictures.class_names
    samples = Dataset(pictures.pixels[rows], pictures.labels[rows], len(names), names, name)
    return ArraySource(samples, root)
