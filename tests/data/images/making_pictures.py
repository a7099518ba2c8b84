"""Pictures and folders of them, made here."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def encoded(pixels: np.ndarray, suffix: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    """A picture file of these pixels."""
    image = Image.fromarray(pixels)
    if mode is not None:
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, suffix, **options)
    return stream.getvalue()


def noise(seed: int, height: int = 12, width: int = 10, channels: int = 3) -> np.ndarray:
    """Random pixels."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def classes(count: int = 3, each: int = 2, **sizes: int) -> dict[str, bytes]:
    """Names and contents of PNG files in class folders 0, 1, ...; a picture's seed is 10 class + number."""
    return {
        f"{label}/{number}.png": encoded(noise(10 * label + number, **sizes))
        for label in range(count)
        for number in range(each)
    }


def as_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def as_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def as_zip(path: Path, files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


CONTAINERS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {
    "folder": lambda path, files: as_folder(path / "data", files),
    "tar": lambda path, files: as_tar(path / "data.tar", files),
    "tar.gz": lambda path, files: as_tar(path / "data.tar.gz", files, "w:gz"),
    "zip": lambda path, files: as_zip(path / "data.zip", files),
    "stored zip": lambda path, files: as_zip(path / "stored.zip", files, zipfile.ZIP_STORED),
}
