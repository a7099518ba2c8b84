"""The Ranks tab: what each rank of a distributed run does with its time, and which the others wait for."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.colours import colour_table
from ravine.gui.plots.heat_map import HeatMap
from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.curves import View
from ravine.gui.state.feed import Query
from ravine.gui.state.ranks import HEADS, RanksPicture, RanksQuery
from ravine.gui.widgets.tabs.base import Tab, cell

MOST_SHOWN = 8  # ranks that the table has room for without scrolling


class RanksTab(Tab):
    """A table above, how long each rank waits by step below. Shown for runs that have several ranks."""

    TITLE = "Ranks"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.about = QtWidgets.QLabel(wordWrap=True)
        self.about.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = QtWidgets.QTableWidget(0, len(HEADS))
        self.table.setAccessibleName("What each rank does with its time")
        self.table.setHorizontalHeaderLabels(HEADS)
        share = QtWidgets.QTableWidgetItem(HEADS[-1])
        share.setToolTip("Of a step, that the rank computes")
        self.table.setHorizontalHeaderItem(len(HEADS) - 1, share)
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.map = HeatMap("rank_wait", "Seconds that each rank waits for the others")
        self.map.y_label = "rank"
        self.map.cursor_moved.connect(self.map.set_cursor)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.addWidget(self.about)
        layout.addWidget(self.table)
        layout.addWidget(self.map, 1)
        app.current_changed.connect(self._on_run)

    @property
    def wanted(self) -> bool:
        return self.app.status is not None and self.app.status.ranks > 1

    def opened(self) -> None:
        self.map.set_x_axis(self.app.preferences.x_axis, self.app.preferences.log_x)

    def surfaces(self) -> list[Surface]:
        return [self.map]

    def queries(self) -> dict[str, Query]:
        run, preferences = self.app.current, self.app.preferences
        if run is None:
            return {}
        view = View(preferences.x_axis, preferences.log_x, False, self.map.limits, self.map.width_pixels)
        self.map.query = RanksQuery(run, view, colour_table())
        return {"ranks": self.map.query}

    def show_answers(self, answers: dict[str, Any]) -> None:
        found = answers.get("ranks")
        if not isinstance(found, RanksPicture):
            return
        self.about.setText(found.text)
        self.table.setRowCount(len(found.rows))
        for row, texts in enumerate(found.rows):
            for column, text in enumerate(texts):
                item = cell(self.table, row, column, text)
                slow = row == found.slowest
                font = item.font()
                font.setBold(slow)
                item.setFont(font)
                colour = QtGui.QColor(self.map.colours.error)
                item.setForeground(colour if slow else self.palette().text().color())
                if column != 1:
                    side = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(side)
        header, shown = self.table.horizontalHeader(), min(len(found.rows), MOST_SHOWN)
        self.table.setFixedHeight(header.sizeHint().height() + 22 * max(1, shown) + 4)
        self.map.draw(found.wait)

    def _on_run(self) -> None:
        self.map.limits = None
        self.table.setRowCount(0)
