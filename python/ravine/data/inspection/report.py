"""What was understood of a file, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from ravine.data.files import unexpanded

LONGEST_LINE = 90


@dataclass(frozen=True)
class Report:
    """What was understood of a file.

    Args:
        title: one line: what kind of file it is, and how much it holds.
        header: of a table of what is in it.
        rows: of that table.
        right: its columns that are set to the right.
        notes: what is worth a look, a line each.
        suggestion: a `[data]` section for an experiment, as TOML; empty where there is none.
        facts: the same for programs.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    suggestion: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def figure(value: float) -> str:
    """A number in a table: short, and whole if it is whole.

    Example:
        >>> figure(3.0), figure(0.12345678), figure(1234567.0)
        ('3', '0.1235', '1,234,567')
    """
    if abs(value) < 1e9 and value == int(value):
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"


def share(part: int, whole: int) -> str:
    """A part in percent: 12.3 %."""
    return f"{100 * part / max(1, whole):.1f} %"


def spread(values: NDArray[Any]) -> str:
    """Range, mean and deviation of finite numbers: "0 .. 16, mean 4.884 ± 6.017"."""
    mean, deviation = moments(values)
    ends = f"{figure(float(values.min()))} .. {figure(float(values.max()))}"
    return f"{ends}, mean {figure(mean)} ± {figure(deviation)}"


def moments(values: NDArray[Any]) -> tuple[float, float]:
    """Mean and deviation, infinite where numbers are too large for them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.mean(values, dtype=np.float64)), float(np.std(values, dtype=np.float64))


def balance(counts: Mapping[str, int], most: int = 12) -> str:
    """How often there is what, the most frequent first: "8: a 50.0 %, b 20.0 %, ..."."""
    whole = sum(counts.values())
    order = sorted(counts.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name} {share(count, whole)}" for name, count in order[:most])
    return f"{len(counts):,}: {listed}" + (", ..." if len(order) > most else "")


def place(path: Path) -> str:
    """A path that means the same wherever the experiment lies."""
    return unexpanded(str(path.absolute()))


def as_toml(section: Mapping[str, Any]) -> str:
    """A `[data]` section, with lists in one line each where they are short."""

    def joined(found: re.Match[str]) -> str:
        line = " ".join(found[1].split())
        return f"[{line.removesuffix(',')}]" if len(line) <= LONGEST_LINE else found[0]

    return re.sub(r"\[\n((?: {4}.*\n)+)\]", joined, tomli_w.dumps({"data": section}).strip())
