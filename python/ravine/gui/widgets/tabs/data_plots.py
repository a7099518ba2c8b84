"""Pictures and plots of the Data tab."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.surface import Surface
from ravine.gui.state.data_preview import PARTS, DataPreview, FeatureStatistics, Pictures

CELL = 66  # pixels of a sample
LONGEST_NAME = 9  # of a class below its bars


class SampleGrid(QtWidgets.QWidget):
    """Pictures with their labels below, as many as there is room for.

    Args:
        name: for who cannot see it.
        columns: in a row; 0: as many as there is room for.
    """

    def __init__(self, name: str, columns: int = 0) -> None:
        super().__init__()
        self._pictures: list[QtGui.QImage] = []
        self._labels: tuple[str, ...] = ()
        self._columns = columns
        self.setMinimumSize(220, 200)
        self.setAccessibleName(name)

    def show_samples(self, pictures: Pictures, labels: tuple[str, ...]) -> None:
        """Shows pictures [height, width, 3]."""
        form = QtGui.QImage.Format.Format_RGB888
        self._pictures = [
            QtGui.QImage(one.tobytes(), one.shape[1], one.shape[0], 3 * one.shape[1], form).copy()
            for one in pictures
        ]
        self._labels = labels
        self.setAccessibleDescription(f"{len(labels)} pictures: {', '.join(labels[:20])}")
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        if not self._pictures:
            return
        painter = QtGui.QPainter(self)
        painter.setPen(self.palette().text().color())
        line = painter.fontMetrics().height()
        columns = self._columns or max(1, self.width() // CELL)
        side = self.width() // columns
        for number, (picture, label) in enumerate(zip(self._pictures, self._labels, strict=True)):
            left, top = number % columns * side, number // columns * (side + line)
            if top + side + line > self.height():
                break
            space = QtCore.QRect(left + 4, top + 4, side - 8, side - 8)
            size = picture.size().scaled(space.size(), QtCore.Qt.AspectRatioMode.KeepAspectRatio)
            place = QtCore.QRect(QtCore.QPoint(0, 0), size)
            place.moveCenter(space.center())
            painter.drawImage(place, picture)
            text = painter.fontMetrics().elidedText(label, QtCore.Qt.TextElideMode.ElideRight, side - 4)
            below = QtCore.QRect(left + 1, top + side - 2, side - 2, line)
            painter.drawText(below, QtCore.Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class BalancePlot(Surface):
    """How many samples of each class each part has."""

    def __init__(self) -> None:
        super().__init__("class_balance", "Classes", "samples")
        self._bars: list[pg.BarGraphItem] = []
        self._found: DataPreview | None = None
        self.set_x_axis("class", False)
        self.view.setMouseEnabled(x=False, y=False)
        self.item.getAxis("bottom").setStyle(hideOverlappingLabels=False)  # they are thinned here

    def draw(self, found: DataPreview) -> None:
        """Shows bars side by side."""
        self._found = found
        classes_are_ranges = found.task == "regression"
        self.title.setText("<b>Values</b>" if classes_are_ranges else "<b>Classes</b>")
        self.set_x_axis("target, from this value on" if classes_are_ranges else "class", False)
        for bar in self._bars:
            self.view.removeItem(bar)
        self._bars.clear()
        parts, classes = found.counts.shape
        wide = 0.8 / parts
        legend = []
        for part in range(parts):
            if not found.counts[part].any():
                continue
            colour = self.colours.of(part)
            places = np.arange(classes) + (part - (parts - 1) / 2) * wide
            bar = pg.BarGraphItem(x=places, height=found.counts[part], width=wide, brush=colour, pen=None)
            self.view.addItem(bar, ignoreBounds=True)
            self._bars.append(bar)
            legend.append(f'<span style="color:{colour}">■</span>&nbsp;{PARTS[part]}')
        self.legend.setText(" &nbsp;".join(legend))
        names = found.class_names
        longest = max(map(len, names), default=1)
        room = max(1, int(self.view.width()) // (6 * min(longest, LONGEST_NAME) + 8) or 8)
        every = -(-len(names) // room)
        ticks = [
            (n, name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")
            for n, name in enumerate(names)
            if n % every == 0
        ]
        self.item.getAxis("bottom").setTicks([ticks])
        self._set_range((-0.6, classes - 0.4), (0, 1.08 * max(1, int(found.counts.max()))))
        self.graphics.setAccessibleDescription(self.summary())

    def summary(self) -> str:
        """The counts, in words."""
        if self._found is None:
            return "nothing to show yet"
        names = self._found.class_names
        rows = zip(PARTS, self._found.counts, strict=True)
        return "; ".join(
            f"{part}: {', '.join(f'{name} {count}' for name, count in zip(names, counts, strict=False))}"
            for part, counts in rows
            if counts.any()
        )

    def _apply_colours(self) -> None:
        super()._apply_colours()
        if getattr(self, "_found", None) is not None:
            assert self._found is not None
            self.draw(self._found)


class FeaturePlot(Surface):
    """Mean and deviation of each feature."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__(name, title, "value")
        self._found: FeatureStatistics | None = None
        self._items: list[Any] = []
        self.set_x_axis("feature", False)
        self.view.setMouseEnabled(x=True, y=False)

    def draw(self, found: FeatureStatistics) -> None:
        """Shows mean, mean ± deviation, minimum and maximum."""
        self._found = found
        for item in self._items:
            self.view.removeItem(item)
        x, found = found.thinned()
        ground, front = QtGui.QColor(self.colours.of(0)), pg.mkPen(self.colours.of(0), width=1)
        ground.setAlpha(70)
        ends = [pg.PlotCurveItem(x, found.mean + sign * found.deviation) for sign in (-1, 1)]
        edges = pg.mkPen(self.colours.of(1), width=1)
        self._items = [
            pg.FillBetweenItem(*ends, brush=pg.mkBrush(ground)),
            pg.PlotCurveItem(x, found.mean, pen=front),
            pg.PlotCurveItem(x, found.minimum, pen=edges),
            pg.PlotCurveItem(x, found.maximum, pen=edges),
        ]
        for item in self._items:
            self.view.addItem(item, ignoreBounds=True)
        low, high = float(found.minimum.min()), float(found.maximum.max())
        space = 0.05 * (high - low) or 1.0
        self._set_range(self.limits or (0, max(1.0, float(x[-1]))), (low - space, high + space))
        blue, orange = self.colours.of(0), self.colours.of(1)
        self.legend.setText(
            f'<span style="color:{blue}">━</span>&nbsp;mean ± deviation &nbsp;'
            f'<span style="color:{orange}">━</span>&nbsp;range'
        )
        self.graphics.setAccessibleDescription(self.summary())

    def show_all(self) -> None:
        super().show_all()
        if self._found is not None:
            self.draw(self._found)

    def summary(self) -> str:
        """The range of means and deviations, in words."""
        if self._found is None:
            return "nothing to show yet"
        mean, deviation = self._found.mean, self._found.deviation
        return (
            f"{len(mean)} features; means from {mean.min():.3g} to {mean.max():.3g}, "
            f"deviations from {deviation.min():.3g} to {deviation.max():.3g}"
        )

    def _apply_colours(self) -> None:
        super()._apply_colours()
        if getattr(self, "_found", None) is not None:
            assert self._found is not None
            self.draw(self._found)
