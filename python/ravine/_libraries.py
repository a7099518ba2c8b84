"""Loads the shared libraries of the wheels by full path, for installations that the RPATH does not reach."""

from __future__ import annotations

import ctypes
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

WHEELS = {"onednn-cpu-gomp": "libdnnl.so.3", "scipy-openblas32": "libscipy_openblas.so"}


def preload() -> None:
    """Loads each library that its wheel lists and that is there; the linker then finds it by its name."""
    for package, library in WHEELS.items():
        try:
            files = distribution(package).files or []
        except PackageNotFoundError:
            continue
        for file in files:
            if file.name == library and (path := Path(str(file.locate()))).is_file():
                ctypes.CDLL(str(path))
