"""The source "sprites": pictures in which every row of pixels is one small image, and a byte a label.

This is how CIFAR-10 is often passed on: a row of 1,024 pixels is an image of 32 x 32, row by row.
"""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravine.data.dataset import as_dataset
from ravine.data.files import locate, open_regular
from ravine.data.images.arrangement import natural
from ravine.data.images.cache import in_threads
from ravine.data.images.containers import read_file
from ravine.data.images.decode import bombs_are_errors, decode
from ravine.data.images.settings import ImageSettings
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources, named
from ravine.errors import InputError


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """The pictures and labels of each part; only those for training must be there."""
    parts = {
        part: _read_part(settings, base, part, classes, threads)
        for part in ("train", "validation", "test")
        if getattr(settings, f"{part}_images")
    }
    return Sources(parts["train"], parts.get("validation"), parts.get("test"))


def _read_part(settings: DataSettings, base: Path, part: str, classes: int, threads: int) -> ArraySource:
    if not settings.images.size:
        raise InputError(
            'source = "sprites" needs the size of an image: size = [height, width]', key="data.images.size"
        )
    with named(f"data.{part}_images"):
        paths = _matching(getattr(settings, f"{part}_images"), base)
        images = read_sprites(paths, settings.images, threads=threads)
    with named(f"data.{part}_labels"):
        file = locate(getattr(settings, f"{part}_labels"), base)
        labels = _read_labels(file)
        if len(labels) != len(images):
            raise InputError(
                f"holds {len(labels):,} labels (bytes), and there are {len(images):,} images in "
                f"{len(paths):,} pictures",
                file=file,
            )
    with named(f"data.{part}_labels", file):
        return ArraySource(
            as_dataset(images, labels, task=settings.task, classes=classes, name=part), paths[0]
        )


def read_sprites(paths: list[Path], settings: ImageSettings, *, threads: int = 1) -> NDArray[np.uint8]:
    """The images of pictures in which every row of pixels is one image, itself row by row.

    Args:
        paths: of PNG or JPEG files, in the order wanted.
        settings: size of an image, and colours.
        threads: the most threads to decode with.

    Returns:
        uint8 [images, height, width, channels].

    Raises:
        InputError: a picture that cannot be decoded, or whose width is not that of an image in one row.
    """
    height, width = settings.size
    whole = ImageSettings(colour=settings.colour)

    def load(path: Path) -> NDArray[np.uint8]:
        try:
            pixels = decode(read_file(path), whole)
        except InputError as error:
            raise InputError(error.message, file=path) from error
        if pixels.shape[1] != height * width:
            raise InputError(
                f"is {pixels.shape[1]:,} pixels wide, expected {height * width:,}: an image of {height} x "
                f"{width} a row",
                file=path,
            )
        return pixels.reshape(-1, height, width, settings.channels)

    with bombs_are_errors():
        return np.concatenate(list(in_threads(load, iter(paths), threads)))


def _matching(written: str, base: Path) -> list[Path]:
    """The files of a pattern, or the one of that very name."""
    if not glob.has_magic(written) or (base / written).exists():
        return [locate(written, base)]
    # Path.glob takes no absolute pattern.
    paths = map(Path, glob.glob(str(base / written)))  # noqa: PTH207
    found = sorted(paths, key=lambda path: natural(path.name))
    if not found:
        raise InputError("no file has a name of this pattern", file=base / written)
    return found


def _read_labels(path: Path) -> NDArray[np.uint8]:
    file, _ = open_regular(path)
    with file:
        try:
            return np.frombuffer(file.read(), np.uint8)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
