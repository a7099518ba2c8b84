"""The toolbar: start, pause, step, stop, resume; where it is computed; how far it has come."""

from __future__ import annotations

import math

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.mpi import processors, why_no_ranks
from ravine.gui.state.status import duration
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.devices import DeviceBox, explain
from ravine.gui.widgets.fields import ComboBox

LOOK = "look for ranks"  # work of the background


class RunToolbar(QtWidgets.QToolBar):
    """Buttons and progress.

    Args:
        app: whose current run it shows.
        actions: those of the menu "Run", in order.
    """

    def __init__(self, app: App, actions: list[QtGui.QAction]) -> None:
        super().__init__("Run")
        self.app = app
        self.setObjectName("run toolbar")
        self.setMovable(False)
        self.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.addActions(actions)
        for action in actions:
            button = self.widgetForAction(action)
            if button is not None:
                button.setFocusPolicy(QtCore.Qt.FocusPolicy.TabFocus)
        self.addSeparator()
        self.device = DeviceBox(app)
        self.ranks = ComboBox()
        self.ranks.setAccessibleName("Ranks")
        for label, box in ((" Device ", self.device), (" Ranks ", self.ranks)):
            self.addWidget(QtWidgets.QLabel(label))
            self.addWidget(box)
        # Ranks need not be found before the window is there.
        self.ranks.addItems([str(count) for count in range(1, max(2, processors()) + 1)])
        self._explain_ranks("looking for mpirun")
        app.work_done.connect(self._on_work)
        app.background.submit(LOOK, why_no_ranks)
        self.addSeparator()
        self.where = QtWidgets.QLabel()
        self.where.setMinimumWidth(110)
        self.bar = QtWidgets.QProgressBar(maximum=1000, textVisible=False)
        self.bar.setAccessibleName("Progress of the run")
        self.bar.setMinimumWidth(60)
        self.bar.setMaximumWidth(220)
        self.left = QtWidgets.QLabel()
        self.left.setMinimumWidth(84)
        for widget in (self.where, self.bar, self.left):
            self.addWidget(widget)
        app.status_changed.connect(self.refresh)
        self.refresh()

    def _on_work(self, key: object, result: object) -> None:
        if key == LOOK:
            self._explain_ranks(str(result.error) if isinstance(result, Failure) else str(result))

    def _explain_ranks(self, reason: str) -> None:
        for row in range(1, self.ranks.count()):
            explain(self.ranks, row, reason)
        self.ranks.setToolTip(reason)

    def refresh(self) -> None:
        """Shows how far the current run has come."""
        status, run = self.app.status, self.app.current
        for widget in (self.where, self.bar, self.left):
            widget.setEnabled(status is not None)
        if status is None or run is None:
            self.where.setText(" starting…" if run is not None else " no run chosen")
            self.bar.setValue(0)
            self.left.setText("")
            return
        whole = f"{status.epochs:g}" if status.epochs else "?"
        epoch = min(math.floor(status.epoch) + 1, status.epochs or math.inf)
        self.where.setText(f" epoch {epoch:g}/{whole} ")
        self.bar.setValue(round(1000 * status.epoch / status.epochs) if status.epochs else 0)
        if status.state == "running":
            self.left.setText(f" ETA {duration(status.seconds_left)}")
        else:
            self.left.setText(f" {status.state}")
