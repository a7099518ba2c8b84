"""How values are distributed, as bars."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6 import QtGui

from ravine.gui.plots.surface import Surface


class HistogramPlot(Surface):
    """One histogram."""

    def __init__(self, name: str, title: str, y_label: str) -> None:
        super().__init__(name, title, y_label)
        self.shares: NDArray[np.float64] = np.empty(0)
        self.edges: NDArray[np.float64] = np.empty(0)
        self._step = 0
        self.line = pg.PlotCurveItem(fillLevel=0)
        self.view.addItem(self.line, ignoreBounds=True)
        self.set_x_axis("value", False)
        self._apply_colours()

    def draw(self, edges: NDArray[np.float64], shares: NDArray[np.float64], step: int) -> None:
        """Shows shares [n] between edges [n + 1]."""
        self.edges, self.shares, self._step = edges, shares, step
        self.line.setVisible(len(shares) > 0)
        if len(shares):
            self.line.setData(edges, shares, stepMode="center")
            limits = self.limits or (float(edges[0]), float(edges[-1]))
            self._set_range(limits, (0.0, 1.08 * float(shares.max() or 1.0)))
        self.graphics.setAccessibleDescription(self.summary())

    def show_all(self) -> None:
        super().show_all()
        self.draw(self.edges, self.shares, self._step)

    def summary(self) -> str:
        """Range and mode, in words."""
        if not len(self.shares):
            return "nothing recorded"
        most = int(self.shares.argmax())
        return (
            f"step {self._step}: from {self.edges[0]:.3g} to {self.edges[-1]:.3g}, most values between "
            f"{self.edges[most]:.3g} and {self.edges[most + 1]:.3g}"
        )

    def _apply_colours(self) -> None:
        super()._apply_colours()
        if hasattr(self, "line"):
            colour = QtGui.QColor(self.colours.of(0))
            self.line.setPen(pg.mkPen(colour, width=1))
            colour.setAlpha(90)
            self.line.setBrush(pg.mkBrush(colour))
