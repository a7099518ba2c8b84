"""Curves with their raw values behind, ticks where a value is not finite, and marks of edits."""

from __future__ import annotations

import html
import math
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtGui

from ravine.gui.plots.colours import PARTS
from ravine.gui.plots.surface import Surface
from ravine.gui.state.curves import Curve, Picture

MOST_NAMED = 5  # curves that are named in the heading; more are layers, whose colours go from first to last
MOST_TEXTS = 6  # marks with a text
ROWS_OF_TEXTS, HEIGHT_OF_TEXT = 3, 0.09  # where they stand, above the curves; in heights of the plot
FAINT = 70  # of 255, of raw values


class LinePlot(Surface):
    """Draws pictures of curves; what is drawn was decimated before.

    Args:
        name, title, y_label: see `Surface`.
        log_y: whether the left axis begins logarithmic.
        colour_of: of a curve, by its number and its source; the parts of the data or the layers without.
    """

    def __init__(
        self,
        name: str,
        title: str,
        y_label: str,
        *,
        log_y: bool = False,
        colour_of: Callable[[int, Curve], str] | None = None,
    ) -> None:
        super().__init__(name, title, y_label)
        self.picture: Picture | None = None
        self._colour_of = colour_of
        self._lines: list[pg.PlotCurveItem] = []
        self._raw: list[pg.PlotCurveItem] = []
        self._points: list[pg.ScatterPlotItem] = []
        self._texts: list[pg.TextItem] = []
        self._cursor_x: float | None = None
        self._shown_y = (0.0, 0.0)
        self._pens: dict[tuple[str, int], QtGui.QPen] = {}
        self._behind_texts = pg.mkBrush(None)
        self.ticks = pg.PlotCurveItem(connect="pairs")
        self.marks = pg.PlotCurveItem(connect="pairs")
        for item in (self.marks, self.ticks):
            self.view.addItem(item, ignoreBounds=True)
        self.log_action = self.menu.addAction("Logarithmic axis")
        self.log_action.setCheckable(True)
        self.log_action.setChecked(log_y)
        self.log_action.toggled.connect(self._on_log)
        self.item.getAxis("left").setLogMode(x=False, y=log_y)

    @property
    def log_y(self) -> bool:
        return self.log_action.isChecked()

    def _on_log(self, logarithmic: bool) -> None:
        self.item.getAxis("left").setLogMode(x=False, y=logarithmic)
        self.view_changed.emit()

    def draw(self, picture: Picture) -> None:
        """Shows a picture."""
        self.picture = picture
        colours = self.curve_colours()
        while len(self._lines) < len(picture.curves):
            for items, faint in ((self._raw, True), (self._lines, False)):
                item = pg.PlotCurveItem(skipFiniteCheck=True)
                item.setZValue(-5 if faint else 5)
                self.view.addItem(item, ignoreBounds=True)
                items.append(item)
        for number, (line, raw) in enumerate(zip(self._lines, self._raw, strict=True)):
            if number >= len(picture.curves):
                line.hide()
                raw.hide()
                continue
            curve, colour = picture.curves[number], colours[number]
            line.setPen(self._pen(colour, 255))
            line.setData(curve.x, curve.y, skipFiniteCheck=True)
            line.show()
            raw.setVisible(len(curve.raw_x) > 0)
            if len(curve.raw_x):
                raw.setPen(self._pen(colour, FAINT))
                raw.setData(curve.raw_x, curve.raw_y, skipFiniteCheck=True)
        self._draw_points(picture, colours)
        x_range = self.limits or _rounded(picture.x_range, begin=False)
        y_range = self._steady(_padded(picture.y_range, min(len(picture.marks), ROWS_OF_TEXTS)))
        self._set_range(x_range, y_range)
        self._draw_notes(picture, y_range)
        hidden = f" · {picture.hidden:,} values ≤ 0 not shown" if picture.hidden else ""
        if self.item.getAxis("left").labelText != f"{self.y_label}{hidden}":
            self.item.getAxis("left").setLabel(f"{self.y_label}{hidden}")
        self._show_legend()
        self.graphics.setAccessibleDescription(self.summary())

    def _steady(self, needed: tuple[float, float]) -> tuple[float, float]:
        """The range that is shown, as long as it holds what is needed and is not much too wide."""
        low, high = self._shown_y
        fits = low <= needed[0] and needed[1] <= high and high - low < 1.35 * (needed[1] - needed[0])
        if not fits:
            self._shown_y = _rounded(needed) or needed
        return self._shown_y

    def curve_colours(self) -> list[str]:
        """Of each curve of the picture."""
        curves = self.picture.curves if self.picture else ()
        if self._colour_of is not None:
            return [self._colour_of(number, curve) for number, curve in enumerate(curves)]
        if all(curve.source.label in PARTS for curve in curves):
            return [self.colours.of(PARTS[curve.source.label]) for curve in curves]
        return (
            self.colours.ramp(len(curves)) if len(curves) > 3 else [*map(self.colours.of, range(len(curves)))]
        )

    def _pen(self, colour: str, alpha: int) -> QtGui.QPen:
        if (colour, alpha) not in self._pens:
            if alpha < 255:  # opaque pens are many times faster: mixed with the ground beforehand
                ground, front = QtGui.QColor(self.colours.ground), QtGui.QColor(colour)
                share = alpha / 255
                mixed = [
                    round(share * one + (1 - share) * two)
                    for one, two in zip(front.getRgb()[:3], ground.getRgb()[:3], strict=True)  # type: ignore[index]
                ]
                self._pens[colour, alpha] = pg.mkPen(QtGui.QColor(*mixed), width=1)
            else:
                self._pens[colour, alpha] = pg.mkPen(colour, width=1)
        return self._pens[colour, alpha]

    def _draw_points(self, picture: Picture, colours: list[str]) -> None:
        wanted = [
            (curve, colour) for curve, colour in zip(picture.curves, colours, strict=True) if curve.points
        ]
        while len(self._points) < len(wanted):
            item = pg.ScatterPlotItem(size=5, pxMode=True, useCache=False)
            self.view.addItem(item, ignoreBounds=True)
            self._points.append(item)
        for number, item in enumerate(self._points):
            if number < len(wanted):
                curve, colour = wanted[number]
                item.setData(curve.x, curve.y, pen=None, brush=pg.mkBrush(colour))
            item.setVisible(number < len(wanted))

    def _draw_notes(self, picture: Picture, y_range: tuple[float, float]) -> None:
        bottom, top = y_range
        ticks = np.repeat(picture.not_finite, 2)
        heights = np.tile([bottom, bottom + 0.08 * (top - bottom)], len(picture.not_finite))
        self.ticks.setData(ticks, heights, connect="pairs")
        places = np.repeat(np.array([mark.x for mark in picture.marks]), 2)
        self.marks.setData(places, np.tile([bottom, top], len(picture.marks)), connect="pairs")
        texts = picture.marks[-MOST_TEXTS:]
        while len(self._texts) < len(texts):
            item = pg.TextItem(anchor=(0, 0))
            item.setZValue(10)  # before the curves
            self.view.addItem(item, ignoreBounds=True)
            self._texts.append(item)
        for number, item in enumerate(self._texts):
            item.setVisible(number < len(texts))
            if number < len(texts):
                item.setText(texts[number].text, self.colours.note)
                item.fill = self._behind_texts
                left, right = self.view.viewRange()[0]
                item.setAnchor((0, 0) if texts[number].x < (left + right) / 2 else (1, 0))
                item.setPos(texts[number].x, top - HEIGHT_OF_TEXT * (number % ROWS_OF_TEXTS) * (top - bottom))

    def set_cursor(self, x: float | None) -> None:
        super().set_cursor(x)
        self._cursor_x = x
        self._show_legend()

    def value_at(self, curve: Curve, x: float) -> float:
        """The value of a curve at a place, as it stands beside the axis."""
        if len(curve.x) == 0:
            return math.nan
        place = min(int(np.searchsorted(curve.x, x)), len(curve.x) - 1)
        if place > 0 and x - curve.x[place - 1] < curve.x[place] - x:
            place -= 1
        value = float(curve.y[place])
        return 10.0**value if self.log_y else value

    def _show_legend(self) -> None:
        if self.picture is None:
            return
        curves, colours = self.picture.curves, self.curve_colours()
        if len(curves) <= MOST_NAMED:
            parts = []
            for curve, colour in zip(curves, colours, strict=True):
                value = curve.last if self._cursor_x is None else self.value_at(curve, self._cursor_x)
                name = html.escape(curve.source.label).replace(" ", "&nbsp;")
                parts.append(f'<span style="color:{colour}">━</span>&nbsp;{name}&nbsp;{value:.3g}')
            text = " &nbsp;".join(parts)
            plain = "".join(f"━ {curve.source.label} 0.000123   " for curve in curves)
            room = self.legend.width() * (2 if self.legend.wordWrap() else 1)
            if self._cursor_x is None and self.legend.fontMetrics().horizontalAdvance(plain) > room:
                text = " &nbsp;".join(part.rpartition("&nbsp;")[0] for part in parts)  # names before values
        else:
            ramp = "".join(f'<span style="color:{one}">━</span>' for one in self.colours.ramp(6))
            first, last = (html.escape(curve.source.label) for curve in (curves[0], curves[-1]))
            text = f"{first}&nbsp;{ramp}&nbsp;{last}"
            if self._cursor_x is not None:
                values = [self.value_at(curve, self._cursor_x) for curve in curves]
                low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
                text += (
                    f" &nbsp; {html.escape(curves[low].source.label)}&nbsp;{values[low]:.3g}"
                    f" … {html.escape(curves[high].source.label)}&nbsp;{values[high]:.3g}"
                )
        if text != self.legend.text():
            self.legend.setText(text)

    def summary(self) -> str:
        """The newest value of every curve, in words."""
        if self.picture is None or not self.picture.curves:
            return "nothing to show yet"
        parts = [f"{curve.source.label} {curve.last:.4g}" for curve in self.picture.curves]
        broken = len(self.picture.not_finite)
        return "; ".join([*parts, *([f"{broken} places with NaN or infinity"] if broken else [])])

    def _apply_colours(self) -> None:
        super()._apply_colours()
        if not hasattr(self, "_pens"):
            return
        self._pens.clear()
        ground = QtGui.QColor(self.colours.ground)
        ground.setAlpha(200)
        self._behind_texts = pg.mkBrush(ground)
        self.ticks.setPen(pg.mkPen(self.colours.error, width=1))
        self.marks.setPen(pg.mkPen(self.colours.note, width=1, style=QtCore.Qt.PenStyle.DashLine))
        if self.picture is not None:
            self.draw(self.picture)


def _rounded(limits: tuple[float, float] | None, *, begin: bool = True) -> tuple[float, float] | None:
    """Limits a little wider, in steps: axes are numbered anew now and then, and not with every record.

    Numbering an axis takes 3 ms, all else of a frame less than 1.
    """
    if limits is None or not limits[1] > limits[0]:
        return limits
    low, high = limits
    step = 10.0 ** math.floor(math.log10(high - low)) / 20
    return math.floor(low / step) * step if begin else low, math.ceil(high / step) * step


def _padded(limits: tuple[float, float] | None, texts: int = 0) -> tuple[float, float]:
    """Limits with some space around, and above it room for lines of text."""
    if limits is None:
        return 0.0, 1.0
    low, high = limits
    space = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - space, high + space
    return low, high + (high - low) * HEIGHT_OF_TEXT * texts / (1 - HEIGHT_OF_TEXT * texts)
