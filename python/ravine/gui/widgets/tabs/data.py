"""The Data tab: samples with their labels, class balance, features before and after preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.data_preview import PARTS, DataPreview, FeatureStatistics, preview
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.tabs.base import Tab, cell, hint

WORK = "data preview"


class SampleGrid(QtWidgets.QWidget):
    """Pictures with their labels below, as many as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures: list[QtGui.QImage] = []
        self._labels: tuple[str, ...] = ()
        self.setMinimumSize(220, 200)
        self.setAccessibleName("Samples")

    def show_samples(self, pictures: NDArray[np.uint8], labels: tuple[str, ...]) -> None:
        """Shows pictures [samples, height, width, 3]."""
        height, width = pictures.shape[1:3]
        form = QtGui.QImage.Format.Format_RGB888
        self._pictures = [
            QtGui.QImage(one.tobytes(), width, height, 3 * width, form).copy() for one in pictures
        ]
        self._labels = labels
        self.setAccessibleDescription(f"{len(labels)} samples: {', '.join(labels[:20])}")
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        painter = QtGui.QPainter(self)
        if not self._pictures:
            painter.end()
            return
        painter.setPen(self.palette().text().color())
        line = painter.fontMetrics().height()
        cell = 66
        columns = max(1, self.width() // cell)
        side = self.width() // columns
        for number, (picture, label) in enumerate(zip(self._pictures, self._labels, strict=True)):
            left, top = number % columns * side, number // columns * (side + line)
            if top + side + line > self.height():
                break
            painter.drawImage(QtCore.QRect(left + 4, top + 4, side - 8, side - 8), picture)
            place = QtCore.QRect(left + 1, top + side - 2, side - 2, line)
            text = painter.fontMetrics().elidedText(label, QtCore.Qt.TextElideMode.ElideRight, side - 4)
            painter.drawText(place, QtCore.Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class BalancePlot(Surface):
    """How many samples of each class each part has."""

    def __init__(self) -> None:
        super().__init__("class_balance", "Classes", "samples")
        self._bars: list[pg.BarGraphItem] = []
        self._found: DataPreview | None = None
        self.set_x_axis("class", False)
        self.view.setMouseEnabled(x=False, y=False)

    def draw(self, found: DataPreview) -> None:
        """Shows bars side by side."""
        self._found = found
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
            total = int(found.counts[part].sum())
            legend.append(f'<span style="color:{colour}">■</span>&nbsp;{PARTS[part]}&nbsp;{total:,}')
        self.legend.setText(" &nbsp;".join(legend))
        names = found.class_names or ("all",)
        every = max(1, len(names) // 20)
        self.item.getAxis("bottom").setTicks([[(n, name) for n, name in enumerate(names) if n % every == 0]])
        self._set_range((-0.6, classes - 0.4), (0, 1.08 * max(1, int(found.counts.max()))))
        self.graphics.setAccessibleDescription(self.summary())

    def summary(self) -> str:
        """The counts, in words."""
        if self._found is None:
            return "nothing to show yet"
        names = self._found.class_names or ("all",)
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
        x = np.arange(len(found.mean), dtype=np.float64)
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
        self._set_range(self.limits or (0, max(1, len(x) - 1)), (low - space, high + space))
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


class DataTab(Tab):
    """The data of the experiment on the right."""

    TITLE = "Data"
    NEEDS_RUN = False

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.found: DataPreview | None = None
        self._key: object = None
        self.grid = SampleGrid()
        self.table = QtWidgets.QTableWidget()
        self.table.setAccessibleName("Samples")
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.samples = QtWidgets.QStackedWidget()
        self.samples.addWidget(self.grid)
        self.samples.addWidget(self.table)
        self.balance = BalancePlot()
        self.before = FeaturePlot("features_before", "Features")
        self.after = FeaturePlot("features_after", "After preprocessing")
        self.about = QtWidgets.QLabel(wordWrap=True)
        self.about.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.empty = hint("")
        right = QtWidgets.QVBoxLayout()
        for plot in (self.balance, self.before, self.after):
            right.addWidget(plot, 1)
        body = QtWidgets.QWidget()
        columns = QtWidgets.QHBoxLayout()
        columns.addWidget(self.samples, 1)
        columns.addLayout(right, 1)
        whole = QtWidgets.QVBoxLayout(body)
        whole.setContentsMargins(6, 4, 6, 4)
        whole.addWidget(self.about)
        whole.addLayout(columns, 1)
        self.stack = QtWidgets.QStackedLayout(self)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(body)
        self.body = body
        app.checked.connect(self.opened)
        app.work_done.connect(self._on_work)

    def surfaces(self) -> list[Surface]:
        return [self.balance, self.before, self.after]

    def opened(self) -> None:
        """Asks for a preview where the data is another one than that which is shown."""
        check, parts = self.app.check, self.app.checker.parts
        if not self.isVisible() or self.app.checking or check is None:
            return
        if check.experiment is None or check.data is None or parts is None:
            reason = "; ".join(str(one) for one in check.errors if one.key.startswith("data")) or "see below"
            self.empty.setText(f"The data cannot be read: {reason}")
            self.stack.setCurrentWidget(self.empty)
            self._key = None
            return
        if self._key is not parts:
            self._key = parts
            if self.found is None:
                self.empty.setText("Reading the data…")
            experiment = check.experiment
            self.app.background.submit(WORK, lambda: preview(experiment, parts))

    def _on_work(self, key: object, result: Any) -> None:
        if key != WORK:
            return
        if isinstance(result, Failure):
            self.empty.setText(str(result.error))
            self.stack.setCurrentWidget(self.empty)
            return
        self.found = result
        self.show_preview(result)

    def show_preview(self, found: DataPreview) -> None:
        """Shows what was read."""
        self.stack.setCurrentWidget(self.body)
        sizes = ", ".join(
            f"{int(count.sum()):,} {part}" for part, count in zip(PARTS, found.counts, strict=True)
        )
        self.about.setText(
            f"<b>{found.task}</b> · {len(found.before.mean):,} features · {sizes} · preprocessing "
            f"<b>{found.preprocessing}</b>"
        )
        if found.pictures is not None:
            self.grid.show_samples(found.pictures, found.labels)
            self.samples.setCurrentWidget(self.grid)
        else:
            self._fill_table(found)
            self.samples.setCurrentWidget(self.table)
        self.balance.draw(found)
        self.before.draw(found.before)
        self.after.draw(found.after)

    def _fill_table(self, found: DataPreview) -> None:
        rows, columns = found.values.shape
        self.table.setRowCount(rows)
        self.table.setColumnCount(columns + 1)
        self.table.setHorizontalHeaderLabels(["target", *(f"feature {n}" for n in range(columns))])
        for row in range(rows):
            texts = [found.labels[row], *(f"{value:.4g}" for value in found.values[row])]
            for column, text in enumerate(texts):
                cell(self.table, row, column, text)
