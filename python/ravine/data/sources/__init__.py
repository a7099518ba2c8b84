"""What `data.source` can be, and who reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ravine.data.settings import DataSettings
from ravine.data.source import Sources
from ravine.data.sources import digits, idx, images, npy, npz, sprites
from ravine.data.tables import source as table

# Reads the files that the settings name. Given: settings; where relative paths start; the classes that the
# network can tell apart, or 0; the most threads. A library that not everybody has is imported by its reader.
Reader = Callable[[DataSettings, Path, int, int], Sources]

READERS: dict[str, Reader] = {
    "digits": digits.read,
    "idx": idx.read,
    "npz": npz.read,
    "npy": npy.read,
    "images": images.read,
    "sprites": sprites.read,
    "table": table.read,
}
