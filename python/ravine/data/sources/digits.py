"""The source "digits": the UCI digits that are shipped."""

from __future__ import annotations

from pathlib import Path

from ravine.data.digits import load_digits
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Sources


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """All of the digits."""
    return Sources(ArraySource(load_digits()))
