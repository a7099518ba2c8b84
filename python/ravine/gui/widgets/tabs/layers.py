"""The Layers tab: every layer at every step as a heat map; a click on a row opens its curves and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6 import QtCore, QtWidgets

from ravine.gui.plots.colours import colour_table
from ravine.gui.plots.heat_map import HeatMap
from ravine.gui.plots.histogram import HistogramPlot
from ravine.gui.plots.line_plot import LinePlot
from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.curves import View
from ravine.gui.state.feed import Query
from ravine.gui.state.heat import STATISTICS
from ravine.gui.state.layer import LayerPicture, LayerQuery
from ravine.gui.state.panels import HeatQuery
from ravine.gui.state.smoothing import Smoothing
from ravine.gui.widgets.fields import ComboBox
from ravine.gui.widgets.tabs.base import Tab, hint

SHOWN = ("gradient_norm", "activation_variance", "update_ratio", "activation_zeros")


class HeatPanel(QtWidgets.QWidget):
    """A heat map with a choice of what it shows."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.statistic = SHOWN[number]
        self.map = HeatMap(f"heat_{number + 1}", "")
        self.choice = ComboBox()
        self.choice.setAccessibleName(f"Statistic of heat map {number + 1}")
        for name, title in STATISTICS.items():
            self.choice.addItem(title, name)
        self.choice.setCurrentIndex(list(STATISTICS).index(self.statistic))
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.choice.setMinimumContentsLength(16)
        self.map.title.hide()
        self.map.head.insertWidget(0, self.choice)
        self.map.graphics.setAccessibleName(STATISTICS[self.statistic])
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.map)

    def _on_choice(self, _: int) -> None:
        self.statistic = str(self.choice.currentData())
        self.map.graphics.setAccessibleName(STATISTICS[self.statistic])
        self.map.title.setText(f"<b>{STATISTICS[self.statistic]}</b>")


class LayersTab(Tab):
    """Heat maps above, the chosen layer below."""

    TITLE = "Layers"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.layer = ""
        self.maps = [HeatPanel(number) for number in range(4)]
        self.curves = LinePlot("layer", "Curves", "value", log_y=True, colour_of=self._colour)
        self.percentiles = LinePlot("percentiles", "Percentiles of the output", "value")
        self.histogram = HistogramPlot("histogram", "Histogram of the output", "share of values")
        above = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(above)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for number, panel in enumerate(self.maps):
            grid.addWidget(panel, number // 2, number % 2)
            panel.map.row_clicked.connect(self.choose)
            panel.map.cursor_moved.connect(self._on_cursor)
            panel.map.view_changed.connect(self._on_view)
        under = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(under)
        column.setContentsMargins(0, 0, 0, 0)
        below = QtWidgets.QHBoxLayout()
        below.setSpacing(2)
        for plot in (self.curves, self.percentiles, self.histogram):
            plot.stack_legend()
            below.addWidget(plot, 1)
        self.unrecorded = self._offer_distributions()
        below.addWidget(self.unrecorded, 2)
        self.about = QtWidgets.QLabel("Click a row to see one layer below.")
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        column.addWidget(self.about)
        column.addLayout(below, 1)
        self.splitter = QtWidgets.QSplitter(QtCore.Qt.Orientation.Vertical)
        self.splitter.addWidget(above)
        self.splitter.addWidget(under)
        self.splitter.setSizes([600, 400])
        layout.addWidget(self.splitter)
        app.current_changed.connect(self._on_run)

    def _offer_distributions(self) -> QtWidgets.QWidget:
        """What stands in the place of percentiles and histograms where a run has none."""
        made = QtWidgets.QWidget()
        self.record = QtWidgets.QPushButton("Record them in the next run")
        self.record.clicked.connect(lambda: self.app.draft.set(("statistics", "level"), "full"))
        layout = QtWidgets.QVBoxLayout(made)
        layout.addStretch(1)
        layout.addWidget(hint("This run has no percentiles and histograms: its statistics are not full."))
        layout.addWidget(self.record, 0, QtCore.Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        made.hide()
        return made

    def _colour(self, number: int, _: object) -> str:
        return self.curves.colours.of(number)

    def opened(self) -> None:
        for surface in self.all_surfaces():
            if surface is not self.histogram:
                surface.set_x_axis(self.app.preferences.x_axis, self.app.preferences.log_x)

    def surfaces(self) -> list[Surface]:
        return [*(panel.map for panel in self.maps), self.curves, self.percentiles, self.histogram]

    def choose(self, layer: str) -> None:
        """Shows a layer below."""
        self.layer = layer

    def queries(self) -> dict[str, Query]:
        run, preferences = self.app.current, self.app.preferences
        if run is None:
            return {}
        found: dict[str, Query] = {}
        for number, panel in enumerate(self.maps):
            view = View(
                preferences.x_axis, preferences.log_x, False, panel.map.limits, panel.map.width_pixels
            )
            found[f"map {number}"] = panel.map.query = HeatQuery(run, panel.statistic, view, colour_table())
        smoothing = Smoothing(preferences.smoothing, preferences.span)
        view = View(
            preferences.x_axis, preferences.log_x, self.curves.log_y, self.curves.limits,
            self.curves.width_pixels, smoothing,
        )  # fmt: skip
        found["layer"] = self.curves.query = LayerQuery(run, self.layer, view, self.percentiles.log_y)
        return found

    def show_answers(self, answers: dict[str, Any]) -> None:
        for number, panel in enumerate(self.maps):
            if (picture := answers.get(f"map {number}")) is not None:
                panel.map.draw(picture)
        found = answers.get("layer")
        if isinstance(found, LayerPicture):
            self.curves.draw(found.curves)
            self.percentiles.draw(found.percentiles)
            self.histogram.draw(found.edges, found.shares, found.step)
            if not self.layer:
                self.layer = found.layer
            self.histogram.legend.setText(f"step {found.step:,}" if found.recorded else "")
            for plot in (self.percentiles, self.histogram):
                plot.setVisible(bool(found.recorded))
            self.unrecorded.setVisible(not found.recorded)
            self.about.setText(f"<b>{found.layer}</b> - click another row to see another layer.")

    def _on_cursor(self, x: float | None) -> None:
        for surface in (*(panel.map for panel in self.maps), self.curves, self.percentiles):
            surface.set_cursor(x)

    def _on_view(self) -> None:
        sender = self.sender()
        if isinstance(sender, Surface):
            for surface in self.surfaces():
                if surface is not self.histogram:
                    surface.limits = sender.limits

    def _on_run(self) -> None:
        self.layer = ""
        for surface in self.all_surfaces():
            surface.limits = None
        self.histogram.draw(np.empty(0), np.empty(0), 0)
