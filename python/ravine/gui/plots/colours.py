"""Colours of plots: from the window's palette, told apart by colour-blind eyes too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6 import QtGui

# M. Okabe, K. Ito, "Color universal design", 2008; those that are too faint on the ground are left out.
ON_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#3a9bd9", "#5d3a9b", "#404040")
ON_DARK = ("#56b4e9", "#ff9149", "#2fd4a3", "#e8a0c8", "#f0e442", "#8ecdf5", "#b79af0", "#d0d0d0")
PARTS = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Colours:
    """What a plot is drawn in.

    Args:
        dark: whether the ground is.
        ground, text, grid: of the plot.
        series: of curves, in turn.
        error: of what is not finite.
        note: of marks.
    """

    dark: bool
    ground: str
    text: str
    grid: str
    series: tuple[str, ...]
    error: str
    note: str

    def of(self, number: int) -> str:
        """The colour of a curve."""
        return self.series[number % len(self.series)]

    def ramp(self, count: int) -> list[str]:
        """Colours from the first layer to the last."""
        table = colour_table()
        first, last = (70, 255) if self.dark else (0, 215)
        return [
            QtGui.QColor(*map(int, table[int(place)])).name() for place in np.linspace(first, last, count)
        ]


def colours_of(palette: QtGui.QPalette) -> Colours:
    """The colours that go with a palette."""
    base, text = palette.base().color(), palette.text().color()
    dark = base.lightness() < 128
    grid = QtGui.QColor(
        *((3 * one + two) // 4 for one, two in zip(base.getRgb()[:3], text.getRgb()[:3], strict=True))  # type: ignore[index]
    )
    return Colours(
        dark, base.name(), text.name(), grid.name(), ON_DARK if dark else ON_LIGHT,
        "#ff5c5c" if dark else "#c8102e", "#b0b0b0" if dark else "#606060",
    )  # fmt: skip


@cache
def colour_table() -> NDArray[np.uint8]:
    """Viridis [256, 3], from the smallest value to the largest."""
    table: NDArray[np.uint8] = pg.colormap.get("viridis").getLookupTable(nPts=256)[:, :3].astype(np.uint8)
    return table


def light_palette() -> QtGui.QPalette:
    """The palette of the light theme."""
    return _palette("#f4f4f4", "#ffffff", "#1d1d1f", "#6a6a6e", "#0068b5", "#ffffff", "#e9e9ec")


def dark_palette() -> QtGui.QPalette:
    """The palette of the dark theme."""
    return _palette("#242629", "#1a1c1e", "#e8e8ea", "#9a9aa0", "#2f7fc1", "#ffffff", "#34373b")


def _palette(
    window: str, base: str, text: str, faint: str, accent: str, on_accent: str, button: str
) -> QtGui.QPalette:
    role = QtGui.QPalette.ColorRole
    palette = QtGui.QPalette(QtGui.QColor(button), QtGui.QColor(window))
    for where, colour in (
        (role.Window, window), (role.Base, base), (role.AlternateBase, window), (role.Button, button),
        (role.Text, text), (role.WindowText, text), (role.ButtonText, text), (role.PlaceholderText, faint),
        (role.ToolTipBase, base), (role.ToolTipText, text), (role.Highlight, accent),
        (role.HighlightedText, on_accent), (role.Link, accent), (role.Accent, accent),
    ):  # fmt: skip
        palette.setColor(where, QtGui.QColor(colour))
    for where in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, where, QtGui.QColor(faint))
    return palette
