"""What line plots and heat maps share: axes, zoom, a cursor, a heading."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.axis import Axis
from ravine.gui.plots.colours import Colours, colours_of

X_LABELS = {"step": "step", "epoch": "epoch", "samples": "samples seen", "seconds": "training time (s)"}


class View(pg.ViewBox):  # type: ignore[misc]
    """Zooms by Ctrl and the wheel, or by dragging with the right button; the plain wheel scrolls the page."""

    wants_all = QtCore.Signal()  # a double click

    def wheelEvent(self, event: Any, axis: Any = None) -> None:  # noqa: N802
        if event.modifiers() & QtCore.Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event, axis)
        else:
            event.ignore()

    def mouseClickEvent(self, event: Any) -> None:  # noqa: N802
        if event.double():
            self.wants_all.emit()


class Surface(QtWidgets.QWidget):
    """A plot with a heading.

    Args:
        name: of the plot: for exports and who cannot see it.
        title: its heading.
        y_label: of the left axis, with the unit.
    """

    cursor_moved = QtCore.Signal(object)  # x in display coordinates, or None
    view_changed = QtCore.Signal()
    wants_export = QtCore.Signal(object)

    def __init__(self, name: str, title: str, y_label: str) -> None:
        super().__init__()
        self.name = name
        self.y_label = y_label
        self.query: Any = None  # what it shows was the answer to
        self.limits: tuple[float, float] | None = None  # of x, where it was zoomed
        self.colours: Colours = colours_of(self.palette())
        self._x_axis = "step"
        self._setting_range = False
        self.title = QtWidgets.QLabel(f"<b>{title}</b>")
        self.legend = QtWidgets.QLabel()
        small = self.legend.font()
        small.setPointSizeF(0.9 * small.pointSizeF())
        self.legend.setFont(small)
        self.legend.setTextFormat(QtCore.Qt.TextFormat.RichText)
        self.legend.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred
        )
        self.tools = QtWidgets.QToolButton()
        self.tools.setText("⋯")
        self.tools.setAutoRaise(True)
        self.tools.setAccessibleName(f"Options of {title}")
        self.tools.setToolTip("Logarithmic axis, zoom, export")
        self.tools.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QtWidgets.QMenu(self.tools)
        self.tools.setMenu(self.menu)
        self.reset_zoom = self.menu.addAction("Show all", self.show_all)
        self.menu.addAction("Export…", lambda: self.wants_export.emit(self))
        self.head = QtWidgets.QHBoxLayout()
        self.head.setContentsMargins(6, 0, 0, 0)
        self.head.setSpacing(2)
        self.head.addWidget(self.title)
        self.head.addSpacing(6)
        self.head.addWidget(self.legend, 1)
        self.head.addWidget(self.tools)
        self.view = View(enableMenu=False)  # its menu would take half as long as the plot
        self.view.wants_all.connect(self.show_all)
        self.view.disableAutoRange()
        axes = {side: Axis(side) for side in ("left", "bottom")}
        self.graphics = pg.PlotWidget(viewBox=self.view, enableMenu=False, axisItems=axes)
        self.graphics.setMinimumSize(180, 110)
        self.graphics.setAccessibleName(title)
        self.graphics.setAccessibleDescription("nothing to show yet")
        self.graphics.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
        self.item = self.graphics.getPlotItem()
        self.item.hideButtons()
        self.item.layout.setContentsMargins(0, 7, 10, 0)  # for half of a number at the ends of the axes
        for side in ("left", "bottom"):
            self.item.getAxis(side).enableAutoSIPrefix(False)
            self.item.getAxis(side).setStyle(maxTickLevel=1, tickLength=4)  # outward
        self.item.getAxis("left").setWidth(66)
        self.item.getAxis("bottom").setTickDensity(0.7)
        self.cursor_line = pg.InfiniteLine(angle=90, movable=False)
        self.cursor_line.hide()
        self.view.addItem(self.cursor_line, ignoreBounds=True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        layout.addLayout(self.head)
        layout.addWidget(self.graphics, 1)
        self.view.sigRangeChangedManually.connect(self._on_zoom)
        self.graphics.scene().sigMouseMoved.connect(self._on_mouse)
        self.graphics.installEventFilter(self)
        self._apply_colours()

    @property
    def width_pixels(self) -> int:
        """Pixel columns to ask for: in steps, so that dragging a border does not compute all each time."""
        return max(50, int(self.view.width()) // 20 * 20)

    def stack_legend(self) -> None:
        """Puts the legend below the heading, where plots are narrow."""
        self.head.removeWidget(self.legend)
        self.head.insertStretch(1, 1)
        self.legend.setWordWrap(True)
        self.legend.setContentsMargins(8, 0, 4, 2)
        layout = self.layout()
        assert isinstance(layout, QtWidgets.QVBoxLayout)
        layout.insertWidget(1, self.legend)

    def set_x_axis(self, axis: str, logarithmic: bool) -> None:
        """Names the lower axis and numbers it."""
        self._x_axis = axis
        self.item.getAxis("bottom").setLogMode(x=logarithmic, y=False)
        self._apply_labels()

    def show_all(self) -> None:
        """Gives up a zoom."""
        self.limits = None
        self.view_changed.emit()

    def set_cursor(self, x: float | None) -> None:
        """Shows the cursor at a place; None hides it."""
        self.cursor_line.setVisible(x is not None)
        if x is not None:
            self.cursor_line.setValue(x)

    def summary(self) -> str:
        """The plot in words."""
        return ""

    def changeEvent(self, event: QtCore.QEvent) -> None:  # noqa: N802
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self._apply_colours()
        super().changeEvent(event)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: N802
        if event.type() == QtCore.QEvent.Type.Leave:
            self.cursor_moved.emit(None)
        if event.type() == QtCore.QEvent.Type.KeyPress and isinstance(event, QtGui.QKeyEvent):
            return self._on_key(event.key())
        return False

    def _on_key(self, key: int) -> bool:
        """The cursor by the arrow keys, the zoom by + and - and 0."""
        keys = QtCore.Qt.Key
        (low, high), _ = self.view.viewRange()
        if key in (keys.Key_Left, keys.Key_Right):
            at = self.cursor_line.value() if self.cursor_line.isVisible() else (low + high) / 2
            step = (high - low) / 50 * (1 if key == keys.Key_Right else -1)
            self.cursor_moved.emit(min(max(at + step, low), high))
        elif key in (keys.Key_Plus, keys.Key_Minus):
            factor = 0.7 if key == keys.Key_Plus else 1 / 0.7
            middle = self.cursor_line.value() if self.cursor_line.isVisible() else (low + high) / 2
            self.limits = (middle + (low - middle) * factor, middle + (high - middle) * factor)
            self._set_range(self.limits, None)
            self.view_changed.emit()
        elif key == keys.Key_0:
            self.show_all()
        else:
            return False
        return True

    def _on_zoom(self, *_: object) -> None:
        low, high = self.view.viewRange()[0]
        self.limits = (float(low), float(high))
        self.view_changed.emit()

    def _on_mouse(self, position: QtCore.QPointF) -> None:
        if self.view.sceneBoundingRect().contains(position):
            self.cursor_moved.emit(float(self.view.mapSceneToView(position).x()))

    def _set_range(self, x: tuple[float, float] | None, y: tuple[float, float] | None) -> None:
        if x is not None:
            low, high = x
            self.view.setXRange(low, high if high > low else low + 1, padding=0)
        if y is not None:
            self.view.setYRange(*y, padding=0)

    def _apply_labels(self) -> None:
        style = {"color": self.colours.text, "font-size": "9pt"}
        self.item.setLabel("bottom", X_LABELS.get(self._x_axis, self._x_axis), **style)
        self.item.setLabel("left", self.y_label, **style)

    def _apply_colours(self) -> None:
        self.colours = colours_of(self.palette())
        self.graphics.setBackground(self.colours.ground)
        for side in ("left", "bottom"):
            axis = self.item.getAxis(side)
            axis.setPen(self.colours.grid)
            axis.setTextPen(self.colours.text)
        self.cursor_line.setPen(pg.mkPen(self.colours.note, width=1))
        self._apply_labels()
