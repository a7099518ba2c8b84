"""The Live tab: loss, metric, and what happens in the layers, while it happens."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ravine.errors import InputError
from ravine.gui.plots.colours import colour_table
from ravine.gui.plots.heat_map import HeatMap
from ravine.gui.plots.line_plot import LinePlot
from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App, Notice
from ravine.gui.state.curves import Picture, View
from ravine.gui.state.feed import Query
from ravine.gui.state.heat import HeatPicture
from ravine.gui.state.panels import CurvesQuery, HeatQuery
from ravine.gui.state.run_list import run_table
from ravine.gui.state.smoothing import KINDS, Smoothing
from ravine.gui.state.tail import X_AXES
from ravine.gui.widgets.fields import ComboBox, LineEdit, tool_button
from ravine.gui.widgets.tabs.base import Tab
from ravine.hyperparameters import hyperparameters

LAYERS = ("gradient_norm", "activation_variance")


class LayerPanel(QtWidgets.QStackedWidget):
    """A statistic of the layers: as lines or as a heat map."""

    def __init__(self, name: str, title: str, label: str) -> None:
        super().__init__()
        self.lines = LinePlot(name, title, label, log_y=True)
        self.heat = HeatMap(f"{name}_heat_map", title)
        for surface, other, text in (
            (self.lines, self.heat, "As heat map"),
            (self.heat, self.lines, "As lines"),
        ):
            self.addWidget(surface)
            surface.menu.addAction(text, lambda other=other: self.setCurrentWidget(other))

    @property
    def surface(self) -> Surface:
        """What is shown."""
        return self.heat if self.currentWidget() is self.heat else self.lines


class LiveTab(Tab):
    """Four plots with one cursor."""

    TITLE = "Live"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.loss = LinePlot("loss", "Loss", "loss", log_y="loss" in app.preferences.log_y)
        self.metric_plot = LinePlot("metric", "Accuracy", "share of samples")
        self.gradient = LayerPanel("gradient_norm", "Gradient norm", "L2 norm")
        self.variance = LayerPanel("activation_variance", "Activation variance", "variance")
        self.panels: dict[str, LinePlot | LayerPanel] = {
            "loss": self.loss, "metric": self.metric_plot,
            "gradient_norm": self.gradient, "activation_variance": self.variance,
        }  # fmt: skip
        grid = QtWidgets.QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for number, panel in enumerate(self.panels.values()):
            grid.addWidget(panel, number // 2, number % 2)
            grid.setRowStretch(number // 2, 1)
            grid.setColumnStretch(number % 2, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(self._controls())
        layout.addLayout(grid, 1)
        for surface in self._all_surfaces():
            surface.cursor_moved.connect(self._on_cursor)
            surface.view_changed.connect(self._on_view)
        self._apply_axis()
        app.current_changed.connect(self._on_run)

    def _controls(self) -> QtWidgets.QHBoxLayout:
        preferences = self.app.preferences
        self.x_axis = ComboBox()
        self.x_axis.addItems(list(X_AXES))
        self.x_axis.setCurrentText(preferences.x_axis)
        self.x_axis.setAccessibleName("X axis")
        self.x_axis.currentTextChanged.connect(self._on_axis)
        self.log_x = QtWidgets.QCheckBox("log")
        self.log_x.setChecked(preferences.log_x)
        self.log_x.setAccessibleName("Logarithmic x axis")
        self.log_x.toggled.connect(self._on_axis)
        self.smoothing = ComboBox()
        self.smoothing.addItems(list(KINDS))
        self.smoothing.setCurrentText(preferences.smoothing)
        self.smoothing.setAccessibleName("Smoothing")
        self.smoothing.setMinimumContentsLength(9)
        self.smoothing.currentTextChanged.connect(self._on_smoothing)
        self.span = QtWidgets.QSpinBox(minimum=1, maximum=100_000, value=preferences.span)
        self.span.setAccessibleName("Records that are smoothed over")
        self.span.setToolTip("Records that are smoothed over")
        self.span.setKeyboardTracking(False)
        self.span.setFixedWidth(60)
        self.span.valueChanged.connect(self._on_smoothing)
        self.edit_name = ComboBox()
        self.edit_name.setAccessibleName("Hyperparameter to change while the run goes on")
        self.edit_name.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.edit_name.setMinimumContentsLength(10)
        self.edit_value = LineEdit()
        self.edit_value.setPlaceholderText("new value")
        self.edit_value.setFixedWidth(72)
        self.edit_value.setAccessibleName("New value of the hyperparameter")
        self.edit_value.returnPressed.connect(self.apply_edit)
        self.edit_apply = tool_button("Apply", raised=True)
        self.edit_apply.clicked.connect(self.apply_edit)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(5)
        for text, *widgets in (
            ("x", self.x_axis, self.log_x), ("smooth", self.smoothing, self.span),
        ):  # fmt: skip
            label = QtWidgets.QLabel(str(text))
            label.setBuddy(widgets[0])
            row.addWidget(label)
            for widget in widgets:
                row.addWidget(widget)
        row.addStretch(1)
        self.edit_label = QtWidgets.QLabel("set")
        self.edit_label.setBuddy(self.edit_name)
        for widget in (self.edit_label, self.edit_name, self.edit_value, self.edit_apply):
            row.addWidget(widget)
        self.app.status_changed.connect(self._show_edit)
        self._show_edit()
        return row

    def _all_surfaces(self) -> list[Surface]:
        found: list[Surface] = []
        for panel in self.panels.values():
            found += [panel.lines, panel.heat] if isinstance(panel, LayerPanel) else [panel]
        return found

    def surfaces(self) -> list[Surface]:
        return [panel.surface if isinstance(panel, LayerPanel) else panel for panel in self.panels.values()]

    def view_of(self, surface: Surface) -> View:
        """How a plot looks at its curves."""
        preferences = self.app.preferences
        return View(
            preferences.x_axis,
            preferences.log_x,
            isinstance(surface, LinePlot) and surface.log_y,
            surface.limits,
            surface.width_pixels,
            Smoothing(preferences.smoothing, preferences.span),
        )

    def queries(self) -> dict[str, Query]:
        run = self.app.current
        if run is None:
            return {}
        found: dict[str, Query] = {}
        for name, surface in zip(self.panels, self.surfaces(), strict=True):
            view = self.view_of(surface)
            if isinstance(surface, HeatMap):
                found[name] = HeatQuery(run, name, view, colour_table())
            else:
                found[name] = CurvesQuery(run, name, view)
            surface.query = found[name]
        return found

    def show_answers(self, answers: dict[str, Any]) -> None:
        for name, panel in self.panels.items():
            answer = answers.get(name)
            if answer is None:
                continue
            if isinstance(panel, LayerPanel):
                if isinstance(answer, HeatPicture):
                    panel.heat.draw(answer)
                else:
                    panel.lines.draw(answer)
            else:
                self._draw(panel, answer)

    def _draw(self, plot: LinePlot, answer: Picture) -> None:
        if plot is self.metric_plot and answer.title:
            heading = f"<b>{answer.title}</b>"
            if plot.title.text() != heading:
                plot.title.setText(heading)
                plot.y_label = "share of samples" if answer.title == "Accuracy" else answer.title.lower()
                plot.graphics.setAccessibleName(answer.title)
        plot.draw(answer)

    def _on_cursor(self, x: float | None) -> None:
        for surface in self.surfaces():
            surface.set_cursor(x)

    def _on_view(self) -> None:
        """A zoom along x is that of all plots."""
        sender = self.sender()
        if isinstance(sender, Surface):
            for surface in self._all_surfaces():
                surface.limits = sender.limits
        names = [
            surface.name
            for surface in self._all_surfaces()
            if isinstance(surface, LinePlot) and surface.log_y
        ]
        self.app.preferences.log_y = names

    def _on_axis(self, *_: object) -> None:
        self.app.preferences.x_axis = next(axis for axis in X_AXES if axis == self.x_axis.currentText())
        self.app.preferences.log_x = self.log_x.isChecked()
        self._apply_axis()

    def _apply_axis(self) -> None:
        for surface in self._all_surfaces():
            surface.limits = None
            surface.set_x_axis(self.app.preferences.x_axis, self.app.preferences.log_x)

    def _on_smoothing(self, *_: object) -> None:
        self.app.preferences.smoothing = next(kind for kind in KINDS if kind == self.smoothing.currentText())
        self.app.preferences.span = self.span.value()
        self.span.setEnabled(self.app.preferences.smoothing != "off")

    def _on_run(self) -> None:
        for surface in self._all_surfaces():
            surface.limits = None
        self._show_edit()

    def _show_edit(self) -> None:
        """Names what can be changed; only while the run goes on."""
        status, run = self.app.status, self.app.current
        live = status is not None and status.training
        for widget in (self.edit_label, self.edit_name, self.edit_value, self.edit_apply):
            widget.setVisible(live)
        if live and run is not None and self.edit_name.property("run") != str(run):
            table = run_table(run) or {}
            settings = table.get("optimizer")
            self.edit_name.clear()
            self.edit_name.addItems(hyperparameters(settings if isinstance(settings, dict) else {}))
            self.edit_name.setProperty("run", str(run))

    def apply_edit(self) -> None:
        """Changes a hyperparameter of the run; the trainer answers, and the curves get a mark."""
        name, text = self.edit_name.currentText(), self.edit_value.text().strip()
        try:
            value = float(text)
        except ValueError:
            error = InputError(f"expected a number, got {text!r}", key=name)
            self.app.notify(Notice("error", str(error), self.app.current))
            return
        self.app.command("set", name=name, value=value)
        self.edit_value.clear()
        self.edit_value.setFocus(QtCore.Qt.FocusReason.OtherFocusReason)
