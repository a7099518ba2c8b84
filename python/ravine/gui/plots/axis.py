"""An axis whose numbers are all written in one way, with room for them beside its name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6 import QtCore, QtGui

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN_DECADES = (-3.001, 4.001)  # in which 0.001 and 10000 are shorter than powers of ten
MOST_DIVIDED = 6  # decades that have ticks between them
LINE, WORD = 18, 48  # pixels that a number needs below and beside another
SPACE = 30  # pixels beside the widest number: for the ticks and the name of the axis


def decade_text(exponent: float, low: float, high: float, digits: int = 2) -> str:
    """A number on a logarithmic axis: plain where the whole axis can be, else with a power of ten.

    Args:
        exponent: its decimal logarithm.
        low, high: of the ends of the axis, alike.
        digits: that are written.

    Example:
        >>> [decade_text(one, -2, 1.5) for one in (-2, 0, 0.3010299957, 1)]
        ['0.01', '1', '2', '10']
        >>> [decade_text(one, -6, 1.5) for one in (-6, 0, 0.3010299957, 1)]
        ['10⁻⁶', '10⁰', '2·10⁰', '10¹']
    """
    if low >= PLAIN_DECADES[0] and high <= PLAIN_DECADES[1]:
        return f"{float(f'{10.0**exponent:.{digits}g}'):.{max(digits, 5)}g}"
    power = math.floor(exponent + 1e-9)  # that of 10 itself may be a little less
    first = 10.0 ** (exponent - power)
    text = f"10{str(power).translate(SUPERSCRIPTS)}"
    return text if abs(first - 1) < 1e-6 else f"{first:.{digits}g}·{text}"


class Axis(pg.AxisItem):  # type: ignore[misc]
    """Numbers an axis; the left one grows where its numbers need it.

    Args:
        orientation: "left" or "bottom".
    """

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self._wanted = 0

    def logTickValues(  # noqa: N802
        self, low: float, high: float, size: float, standard: list[Any]
    ) -> list[tuple[float | None, list[float]]]:
        """Numbers at whole decades; between them where few are seen; ticks alone at the others."""
        decades = range(math.floor(low), math.ceil(high) + 1)
        room = max(2, int(size / (LINE if self.orientation == "left" else WORD)))
        choices: tuple[tuple[int, ...], ...] = ((1,), (1, 2, 5), tuple(range(1, 10)))
        for firsts in choices:
            every = max(1, math.ceil((high - low) * len(firsts) / room)) if firsts == (1,) else 1
            numbered = [
                place
                for decade in decades
                if decade % every == 0
                for first in firsts
                if low <= (place := decade + math.log10(first)) <= high
            ]
            if 2 <= len(numbered) <= room:
                break
        else:
            return [level for level in standard if len(level[1]) <= room][:1] or standard[:1]
        seen = decades if high - low < MOST_DIVIDED else ()
        minor = [decade + math.log10(first) for decade in seen for first in range(1, 10)]
        return [(1.0, numbered), (None, [place for place in minor if low <= place <= high])]

    def logTickStrings(  # noqa: N802
        self, values: Sequence[float], scale: float, spacing: float | None
    ) -> list[str]:
        if spacing is None:
            return [""] * len(values)
        low, high = self.range
        digits = 2 if spacing == 1.0 else 5
        return [decade_text(float(value) * scale, low, high, digits) for value in values]

    def tickStrings(  # noqa: N802
        self, values: Sequence[float], scale: float, spacing: float
    ) -> list[str]:
        texts: list[str] = super().tickStrings(values, scale, spacing)
        if self.orientation == "left" and texts and self.fixedWidth is not None:
            metrics = QtGui.QFontMetrics(self.style["tickFont"] or QtGui.QGuiApplication.font())
            needed = max(map(metrics.horizontalAdvance, texts)) + SPACE
            if needed > max(self.fixedWidth, self._wanted):
                self._wanted = needed
                # Not while it is being drawn.
                QtCore.QTimer.singleShot(0, self, self._widen)
        return texts

    def _widen(self) -> None:
        self.setWidth(self._wanted)
