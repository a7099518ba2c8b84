"""`ravine app`: the desktop app."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from ravine.errors import InputError

HELP = "open the desktop app: train, watch and compare"
EXAMPLE = "ravine app runs/digits"
LIBRARIES = ("PySide6", "pyqtgraph", "tomlkit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "PATH", nargs="*", type=Path, help="run folders, experiments (*.toml) or data files to open"
    )
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of runs (default: the last one)")
    parser.add_argument(
        "--install", action="store_true", help="put an entry and an icon into the menu of the desktop"
    )


def run(arguments: argparse.Namespace) -> int:
    check_libraries()
    if arguments.install:
        from ravine.gui.desktop_entry import install

        for path in install():
            print(f"written: {path}")
        return 0
    for path in arguments.PATH:
        if not path.exists():
            raise InputError("does not exist; name a run folder, an experiment or a data file", file=path)
    check_display()
    from ravine.gui.application import start

    return start([path.absolute() for path in arguments.PATH], arguments.runs)


def check_libraries() -> None:
    """Raises InputError where a library of the app is missing."""
    for name in LIBRARIES:
        if importlib.util.find_spec(name) is None:
            raise InputError(f'the app needs {name}; install it with: pip install "ravine[app]"')


def check_display() -> None:
    """Raises InputError where there is no screen: Qt itself would end the process without a word of help."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "there is no display; run the app on a desktop, through `ssh -X`, or by `xvfb-run -a ravine app`"
        )
