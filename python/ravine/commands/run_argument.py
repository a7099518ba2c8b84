"""The argument RUN: the path of a run folder, or the name of one under runs/."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ravine.runs import RunFolder

PARENT = Path("runs")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Adds the argument RUN."""
    parser.add_argument("RUN", help="a run folder, or the name of one under runs/")


def add_checkpoint(
    parser: argparse.ArgumentParser,
    default: str = "best",
    meaning: str = "which checkpoint to load (default: best, or the last where none is marked best)",
) -> None:
    """Adds the option --checkpoint."""
    parser.add_argument("--checkpoint", default=default, metavar="best|last|step-N", help=meaning)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds the option --device."""
    parser.add_argument("--device", metavar="D", help="cpu, cuda or cuda:N (default: where it was trained)")


def find_run(text: str, parent: Path = PARENT) -> RunFolder:
    """The run folder that RUN means.

    Raises:
        RunError: there is none; names a similar one if there is one.
    """
    from ravine.errors import RunError
    from ravine.runs import RunFolder

    path = Path(text)
    if path.name != text:
        return RunFolder.open(path)
    if not (parent / text).is_dir() and path.is_dir():
        return RunFolder.open(path)
    try:
        return RunFolder.open(parent / text)
    except RunError:
        if path.is_dir():
            return RunFolder.open(path)
        raise
