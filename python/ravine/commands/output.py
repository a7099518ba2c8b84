"""Text and JSON that the commands print."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def print_json(value: Mapping[str, Any]) -> None:
    """Prints one JSON object in one line on standard output; NaN and infinities become null."""
    print(json.dumps(plain(value), allow_nan=False), flush=True)


def plain(value: Any) -> Any:
    """The value as JSON knows it: tuples as lists, paths as text, numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns of text under a header, as narrow as they can be.

    Args:
        header: a title for each column.
        rows: the cells.
        right: the columns that are set to the right, as numbers are.
    """
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def duration(seconds: float) -> str:
    """A time as people say it: 0.42 s, 12 s, 3 min 20 s, 2 h 05 min, 3 d 02 h."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Metrics in one line, those that are shares before the loss: `accuracy 0.9741, loss 0.0921`."""
    names = sorted(metrics, key=lambda name: (name == "loss", name))
    return ", ".join(f"{name} {number(metrics[name])}" for name in names)


def number(value: float) -> str:
    """A measured value: four decimals, or powers of ten where those would say nothing."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def byte_count(count: float) -> str:
    """A size: 512 B, 27.5 KiB, 1.2 GiB."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while count >= 1024 and power < len(units) - 1:
        count /= 1024
        power += 1
    return f"{count:.0f} B" if power == 0 else f"{count:.1f} {units[power]}"


def notice(text: str) -> None:
    """One line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)
