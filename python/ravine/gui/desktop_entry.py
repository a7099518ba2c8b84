"""The app in the menu of the desktop: an entry and an icon, by the XDG base directories."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ravine.errors import InputError
from ravine.gui.application import ICON
from ravine.runs import files

ENTRY = """[Desktop Entry]
Type=Application
Version=1.5
Name=Ravine
GenericName=Neural network trainer
Comment=Train neural networks and look into their optimization
Exec={command} %F
Icon=ravine
Terminal=false
Categories=Science;Education;ArtificialIntelligence;
Keywords=neural network;training;optimization;
StartupWMClass=ravine
"""


def install() -> list[Path]:
    """Writes the entry and the icon into the user's own folders; returns where.

    Raises:
        InputError: a folder that cannot be written.
    """
    share = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    entry = share / "applications" / "ravine.desktop"
    icon = share / "icons" / "hicolor" / "scalable" / "apps" / "ravine.svg"
    command = shlex.join([sys.executable, "-m", "ravine", "app"])
    for path, content in ((entry, ENTRY.format(command=command).encode()), (icon, ICON.read_bytes())):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, content)
        except OSError as error:
            raise InputError(f"cannot be written: {files.cause(error)}", file=path) from error
    return [entry, icon]
