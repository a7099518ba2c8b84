"""What the app remembers from one start to the next."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from ravine.runs import files

Theme = Literal["system", "light", "dark"]
LARGEST_FILE = 4 << 20


class Preferences(msgspec.Struct, kw_only=True):
    """All that is remembered.

    Args:
        theme: of the window.
        geometry, layout: of the window, as Qt packs them, in base64.
        runs_folder: where runs are looked for and made; empty: `runs` in the working folder.
        recent: experiments and runs that were opened, the newest first.
        draft: text of the experiment that is being edited.
        draft_folder: where its relative paths start.
        x_axis, log_x, log_y, smoothing, span: of the live plots.
        pinned: names of runs.
        grouped: whether runs are listed by their settings.
        colours: of runs, by path: the number in the palette.
    """

    theme: Theme = "system"
    geometry: str = ""
    layout: str = ""
    runs_folder: str = ""
    recent: list[str] = []
    draft: str = ""
    draft_folder: str = ""
    x_axis: Literal["step", "epoch", "samples", "seconds"] = "step"
    log_x: bool = False
    log_y: list[str] = []
    smoothing: Literal["off", "exponential", "mean", "median"] = "exponential"
    span: int = 20
    pinned: list[str] = []
    grouped: bool = False
    colours: dict[str, int] = {}

    def remember(self, path: Path) -> None:
        """Puts a file or folder at the head of what was opened."""
        text = str(path)
        self.recent = [text, *(other for other in self.recent if other != text)][:10]


def preferences_path() -> Path:
    """Where they are: `$XDG_CONFIG_HOME/ravine/app.json`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "ravine" / "app.json"


def load_preferences(path: Path) -> Preferences:
    """Reads them; a file that is missing or damaged counts as none: nothing in it is worth an error."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            return Preferences()
        found = msgspec.json.decode(path.read_bytes(), type=Preferences)
        return msgspec.structs.replace(found, span=min(max(found.span, 1), 100_000))
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return Preferences()


def save_preferences(preferences: Preferences, path: Path) -> str:
    """Writes them, whole or not at all; returns why that failed, or an empty text."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, msgspec.json.format(msgspec.json.encode(preferences), indent=1))
    except OSError as error:
        return f"{path}: cannot be written: {files.cause(error)}"
    return ""


def packed(data: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(data).decode()


def unpacked(text: str) -> bytes:
    """The bytes of such text; none where it is damaged."""
    with contextlib.suppress(ValueError):
        return base64.b64decode(text, validate=True)
    return b""
