"""A value of every layer at every step, as one picture with a colour bar."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.colours import colour_table
from ravine.gui.plots.surface import Surface
from ravine.gui.state.heat import HeatPicture


class ColourBar(QtWidgets.QWidget):
    """From the largest value above to the smallest below."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(72)
        self._low, self._high, self._logarithmic = 0.0, 1.0, True

    def set_levels(self, low: float, high: float, logarithmic: bool) -> None:
        """The values of its ends; logarithms where `logarithmic`."""
        self._low, self._high, self._logarithmic = low, high, logarithmic
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        painter = QtGui.QPainter(self)
        line = painter.fontMetrics().height()
        bar = QtCore.QRect(6, line, 12, max(1, self.height() - 4 * line))
        gradient = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for place in np.linspace(0, 1, 9):
            gradient.setColorAt(float(place), QtGui.QColor(*map(int, colour_table()[int(place * 255)])))
        painter.fillRect(bar, gradient)
        painter.setPen(self.palette().text().color())
        places = (0.0, 0.5, 1.0) if self._high > self._low else (0.5,)
        for place, text in zip(places, self.texts(places), strict=True):
            at = round(bar.bottom() - place * bar.height() + line / 3)
            painter.drawText(bar.right() + 5, at, text)
        painter.end()

    def texts(self, places: Sequence[float]) -> list[str]:
        """The numbers at places between 0, below, and 1, above: all plain, or all with powers of ten."""
        levels = [self._low + place * (self._high - self._low) for place in places]
        values = [10.0**level if self._logarithmic else level for level in levels]
        sizes = [abs(value) for value in values if value]
        plain = not sizes or (min(sizes) >= 0.001 and max(sizes) < 10_000)
        return [f"{float(f'{value:.2g}'):g}" if plain or not value else _short(value) for value in values]


def _short(value: float) -> str:
    """Two digits and a power of ten, in few characters: 2.3e-7."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}"


class HeatMap(Surface):
    """Draws heat pictures; rows are layers, the first above.

    Args:
        name, title: see `Surface`.
    """

    row_clicked = QtCore.Signal(str)

    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, "layer")
        self.picture: HeatPicture | None = None
        self._cursor_x: float | None = None
        self._row: int | None = None
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setZValue(-10)
        self.view.addItem(self.image, ignoreBounds=True)
        self.view.invertY(True)
        self.view.setMouseEnabled(x=True, y=False)
        self.bar = ColourBar()
        body = QtWidgets.QHBoxLayout()
        body.setSpacing(0)
        layout = self.layout()
        assert isinstance(layout, QtWidgets.QVBoxLayout)
        layout.removeWidget(self.graphics)
        body.addWidget(self.graphics, 1)
        body.addWidget(self.bar)
        layout.addLayout(body, 1)
        self.item.getAxis("left").setWidth(104)
        self.graphics.scene().sigMouseClicked.connect(self._on_click)
        self.view.sigResized.connect(self._name_rows)

    def draw(self, picture: HeatPicture) -> None:
        """Shows a picture."""
        self.picture = picture
        count = len(picture.layers)
        low, high = picture.x_range or (0.0, 1.0)
        self.image.setVisible(count > 0)
        if count > 0:
            self.image.setImage(picture.colours, autoLevels=False, levels=None)
            self.image.setRect(QtCore.QRectF(low, 0, max(high - low, 1e-12), count))
        self._name_rows()
        self._set_range(self.limits or (low, high), (0, max(count, 1)))
        self.bar.set_levels(*picture.levels, picture.logarithmic)
        self._show_value()
        self.graphics.setAccessibleDescription(self.summary())

    def _name_rows(self, *_: object) -> None:
        """Names as many rows as there is room for."""
        layers = self.picture.layers if self.picture else ()
        line = self.fontMetrics().height() + 2
        every = max(1, math.ceil(len(layers) * line / max(line, self.view.height())))
        names = [(row + 0.5, layer) for row, layer in enumerate(layers) if row % every == 0]
        self.item.getAxis("left").setTicks([names])

    def layer_at(self, y: float) -> str | None:
        """The layer of a row."""
        if self.picture is None or not 0 <= y < len(self.picture.layers):
            return None
        return self.picture.layers[int(y)]

    def set_cursor(self, x: float | None) -> None:
        super().set_cursor(x)
        self._cursor_x = x
        self._show_value()

    def _on_mouse(self, position: QtCore.QPointF) -> None:
        if self.view.sceneBoundingRect().contains(position):
            y = float(self.view.mapSceneToView(position).y())
            self._row = int(y) if self.layer_at(y) else None
        super()._on_mouse(position)

    def _on_click(self, event: object) -> None:
        position = event.scenePos()  # type: ignore[attr-defined]
        if self.view.sceneBoundingRect().contains(position):
            layer = self.layer_at(float(self.view.mapSceneToView(position).y()))
            if layer:
                self.row_clicked.emit(layer)

    def _show_value(self) -> None:
        picture = self.picture
        text = ""
        if picture is not None and self._cursor_x is not None and self._row is not None and picture.x_range:
            low, high = picture.x_range
            columns = picture.values.shape[1]
            place = int((self._cursor_x - low) / max(high - low, 1e-12) * columns)
            if 0 <= place < columns and self._row < len(picture.layers):
                text = f"{picture.layers[self._row]} {picture.values[self._row, place]:.3g}"
        if self.legend.text() != text:
            self.legend.setText(text)

    def summary(self) -> str:
        """The newest value of every layer, in words."""
        if self.picture is None or self.picture.values.size == 0:
            return "nothing to show yet"
        last = self.picture.values[:, -1]
        return "; ".join(
            f"{layer} {value:.3g}" for layer, value in zip(self.picture.layers, last, strict=True)
        )
