"""The Compare tab: the same quantity of several runs, and the settings in which they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.line_plot import LinePlot
from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.compare import CompareQuery, Comparison
from ravine.gui.state.curves import Curve, View
from ravine.gui.state.feed import Query
from ravine.gui.state.smoothing import Smoothing
from ravine.gui.state.tail import X_AXES
from ravine.gui.widgets.fields import ComboBox
from ravine.gui.widgets.tabs.base import Tab, cell, hint

FIRST = ("validation:loss", "train:loss", "loss")  # what is compared at first, if it is there


class CompareTab(Tab):
    """Ticks in the list of runs say which."""

    TITLE = "Compare"
    NEEDS_RUN = False

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._names: tuple[str, ...] = ()
        self._bands: dict[str, list[pg.FillBetweenItem]] = {}
        self.plot = LinePlot("compare", "Comparison", "loss", colour_of=self._colour)
        self.by_time = LinePlot("compare_by_time", "Comparison", "loss", colour_of=self._colour)
        self.quantity = ComboBox()
        self.quantity.setAccessibleName("Quantity that is compared")
        self.quantity.setMinimumContentsLength(14)
        self.x_axis = ComboBox()
        self.x_axis.addItems(list(X_AXES))
        self.x_axis.setAccessibleName("X axis of the comparison")
        self.x_axis.currentTextChanged.connect(self._on_axis)
        self.grouped = QtWidgets.QCheckBox("mean ± deviation over seeds")
        self.beside = QtWidgets.QCheckBox("by training time beside it")
        self.beside.setChecked(True)
        self.beside.toggled.connect(self._on_axis)
        self.choose = QtWidgets.QPushButton("Compare the newest runs")
        self.choose.clicked.connect(self._choose_newest)
        self.table = QtWidgets.QTableWidget()
        self.table.setAccessibleName("Settings in which the runs differ")
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        row = QtWidgets.QHBoxLayout()
        for widget in (self.quantity, QtWidgets.QLabel("by"), self.x_axis, self.beside, self.grouped):
            row.addWidget(widget)
        row.addStretch(1)
        body = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(body)
        column.setContentsMargins(4, 2, 4, 2)
        column.addLayout(row)
        plots = QtWidgets.QHBoxLayout()
        plots.setSpacing(2)
        for plot in (self.plot, self.by_time):
            plot.stack_legend()
            plots.addWidget(plot, 1)
        column.addLayout(plots, 3)
        column.addWidget(self.table, 1)
        empty = QtWidgets.QWidget()
        middle = QtWidgets.QVBoxLayout(empty)
        middle.addStretch(1)
        middle.addWidget(hint("Tick two or more runs in the list on the left to compare them."))
        middle.addWidget(self.choose, 0, QtCore.Qt.AlignmentFlag.AlignCenter)
        middle.addStretch(2)
        self.stack = QtWidgets.QStackedLayout(self)
        self.stack.addWidget(empty)
        self.stack.addWidget(body)
        self.body = body
        self._on_axis()
        app.compared_changed.connect(self._show_choice)
        app.runs_changed.connect(self._show_choice)
        self._show_choice()

    @property
    def runs(self) -> tuple[Path, ...]:
        """Those that are compared."""
        return tuple(self.app.compared)

    def surfaces(self) -> list[Surface]:
        return [self.plot, self.by_time] if self.by_time.isVisibleTo(self.body) else [self.plot]

    def _colour(self, number: int, curve: Curve) -> str:
        return self.plot.colours.of(self.app.colour_number(curve.source.run))

    def _choose_newest(self) -> None:
        self.app.compare([run.path for run in self.app.runs[:5]])

    def _show_choice(self) -> None:
        there = bool(self.app.runs)
        self.choose.setEnabled(there)
        self.choose.setToolTip(
            "The five newest, together"
            if there
            else "There are no runs yet: train one, or open a folder of runs"
        )
        if self.runs:
            self.stack.setCurrentWidget(self.body)
        else:
            self.stack.setCurrentIndex(0)

    def _on_axis(self, *_: object) -> None:
        self.plot.limits = None
        self.plot.set_x_axis(self.x_axis.currentText(), False)
        self.by_time.set_x_axis("seconds", False)
        self.by_time.setVisible(self.beside.isChecked() and self.x_axis.currentText() != "seconds")

    def queries(self) -> dict[str, Query]:
        if not self.runs:
            return {}
        preferences = self.app.preferences
        axis = next(axis for axis in X_AXES if axis == self.x_axis.currentText())
        name = self.quantity.currentText() or FIRST[0]
        found: dict[str, Query] = {}
        for key, plot, by in (("comparison", self.plot, axis), ("by time", self.by_time, X_AXES[-1])):
            if plot in self.surfaces():
                view = View(
                    by, False, plot.log_y, plot.limits, plot.width_pixels,
                    Smoothing(preferences.smoothing, preferences.span),
                )  # fmt: skip
                found[key] = plot.query = CompareQuery(self.runs, name, view, self.grouped.isChecked())
        return found

    def show_answers(self, answers: dict[str, Any]) -> None:
        beside = answers.get("by time")
        if isinstance(beside, Comparison):
            self._draw(self.by_time, beside)
        found = answers.get("comparison")
        if not isinstance(found, Comparison):
            return
        if found.choices != self._names:
            self._names = found.choices
            before = self.quantity.currentText()
            self.quantity.clear()
            self.quantity.addItems(list(found.choices))
            wanted = [before, *FIRST, *found.choices]
            self.quantity.setCurrentText(next((name for name in wanted if name in found.choices), ""))
        self._draw(self.plot, found)
        self._show_settings(found)

    def _draw(self, plot: LinePlot, found: Comparison) -> None:
        label = self.quantity.currentText().replace(":", ": ").replace("_", " ")
        plot.title.setText(f"<b>{label.capitalize()}</b>")
        plot.y_label = label
        plot.draw(found.picture)
        bands = self._bands.setdefault(plot.name, [])
        for item in bands:
            plot.view.removeItem(item)
        bands.clear()
        for number, (x, low, high) in enumerate(found.bands):
            if len(x) > 1:
                colour = QtGui.QColor(self._colour(number, found.picture.curves[number]))
                colour.setAlpha(60)
                ends = [pg.PlotCurveItem(x, y) for y in (low, high)]
                item = pg.FillBetweenItem(*ends, brush=pg.mkBrush(colour))
                plot.view.addItem(item, ignoreBounds=True)
                bands.append(item)

    def _show_settings(self, found: Comparison) -> None:
        heads = ["run", *(key for key, _ in found.settings)]
        self.table.setColumnCount(len(heads))
        self.table.setHorizontalHeaderLabels(heads)
        self.table.setRowCount(len(self.runs))
        for row, run in enumerate(self.runs):
            texts = [run.name, *(values[row] for _, values in found.settings if row < len(values))]
            for column, text in enumerate(texts):
                item = cell(self.table, row, column, text)
                if column == 0:
                    number = self.app.colour_number(run)
                    item.setForeground(QtGui.QColor(self.plot.colours.of(number)))
