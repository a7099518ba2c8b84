"""The runs on the left: what they are called, how they do, and which of them are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.plots.colours import colours_of
from ravine.gui.state.app import App
from ravine.gui.state.compare import Group
from ravine.gui.state.run_list import metric_text
from ravine.gui.state.status import count
from ravine.gui.widgets.fields import LineEdit
from ravine.runs import RunSummary

SIGNS = {"running": "●", "paused": "‖", "finished": "✓", "stopped": "■", "crashed": "✗", "damaged": "⚠"}
HEADS = ("", "run", "result", "steps")
ROLE = QtCore.Qt.ItemDataRole
SEARCHED = int(ROLE.UserRole)  # the text that the search looks through
ROW_HEIGHT = 22  # pixels
Index = QtCore.QModelIndex | QtCore.QPersistentModelIndex


@dataclass(frozen=True)
class GroupRow:
    """A line above the runs of a group."""

    group: Group
    result: str


Row = RunSummary | GroupRow


def _key(row: Row) -> object:
    """What a line is about, whatever it says."""
    return row.path if isinstance(row, RunSummary) else row.group.runs[0:1]


class RunModel(QtCore.QAbstractTableModel):
    """The summaries as a table; a tick before a run takes part in the comparison."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.rows: list[Row] = []
        self.folded: set[str] = set()  # labels of groups
        app.compared_changed.connect(self._on_compared)

    def take(self, runs: list[RunSummary], groups: tuple[tuple[Group, str], ...] = ()) -> bool:
        """Shows other summaries, pinned runs first; tells whether there are other lines than before."""
        pinned = set(self.app.preferences.pinned)
        rows: list[Row] = []
        if groups:
            by_path = {run.path: run for run in runs}
            for group, result in groups:
                rows.append(GroupRow(group, result))
                if group.label not in self.folded:
                    rows += [by_path[path] for path in group.runs if path in by_path]
        else:
            runs = sorted(runs, key=lambda run: run.name not in pinned)
            rows += runs
        if [_key(row) for row in rows] == [_key(row) for row in self.rows]:
            for number, (old, new) in enumerate(zip(self.rows, rows, strict=True)):
                if old != new:
                    self.rows[number] = new
                    self.dataChanged.emit(self.index(number, 0), self.index(number, len(HEADS) - 1))
            return False
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()
        return True

    def rowCount(self, parent: Index = QtCore.QModelIndex()) -> int:  # noqa: B008, N802
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QtCore.QModelIndex()) -> int:  # noqa: B008, N802
        return len(HEADS)

    def headerData(self, section: int, orientation: QtCore.Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        if role == ROLE.DisplayRole and orientation == QtCore.Qt.Orientation.Horizontal:
            return HEADS[section]
        return None

    def flags(self, index: Index) -> QtCore.Qt.ItemFlag:
        flags = super().flags(index)
        return flags | QtCore.Qt.ItemFlag.ItemIsUserCheckable if index.column() == 0 else flags

    def data(self, index: Index, role: int = 0) -> Any:
        run, column = self.rows[index.row()], index.column()
        if isinstance(run, GroupRow):
            return self._group_data(run, column, role)
        if role == SEARCHED:
            return run.name
        if role == ROLE.DisplayRole:
            pin = "★ " if run.name in self.app.preferences.pinned else ""
            sign = SIGNS.get(run.state, "?")
            return ("", f"{sign} {pin}{run.name}", metric_text(run), count(run.step))[column]
        if role == ROLE.CheckStateRole and column == 0:
            return (
                QtCore.Qt.CheckState.Checked
                if run.path in self.app.compared
                else QtCore.Qt.CheckState.Unchecked
            )
        if role == ROLE.ForegroundRole and column == 1:
            colours = colours_of(QtGui.QGuiApplication.palette())
            if run.state in ("crashed", "damaged"):
                return QtGui.QBrush(QtGui.QColor(colours.error))
            if run.path in self.app.compared:
                return QtGui.QBrush(QtGui.QColor(colours.of(self.app.colour_number(run.path))))
        if role == ROLE.TextAlignmentRole and column >= 2:
            return int(QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter)
        if role == ROLE.ToolTipRole:
            return "\n".join([str(run.path), f"{run.state}{': ' if run.reason else ''}{run.reason}"])
        if role == ROLE.AccessibleTextRole and column == 1:
            return f"{run.name}, {run.state}, {metric_text(run)}"
        return None

    def _group_data(self, row: GroupRow, column: int, role: int) -> Any:
        group = row.group
        names = [run.name for run in group.runs]
        folded = group.label in self.folded
        if role == SEARCHED:
            return " ".join([group.label, *names])
        if role in (ROLE.DisplayRole, ROLE.AccessibleTextRole) and column == 1:
            result = row.result
            if role == ROLE.AccessibleTextRole and len(names) > 1 and result:
                result = f"mean ± std {result}"
            text = f"{'▸' if folded else '▾'} {group.label}\n{result} ({len(names)})"
            return text if role == ROLE.DisplayRole else f"Group {group.label}: {result}, {len(names)} runs"
        if role == ROLE.CheckStateRole and column == 0:
            compared = sum(run in self.app.compared for run in group.runs)
            states = QtCore.Qt.CheckState
            if compared in (0, len(names)):
                return states.Checked if compared else states.Unchecked
            return states.PartiallyChecked
        if role == ROLE.ToolTipRole:
            mean = [f"mean ± standard deviation {row.result}"] if len(names) > 1 and row.result else []
            return "\n".join([group.label, *mean, *names[:20]])
        return None

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:  # noqa: N802
        if role != ROLE.CheckStateRole:
            return False
        row, on = self.rows[index.row()], QtCore.Qt.CheckState(value) == QtCore.Qt.CheckState.Checked
        if isinstance(row, RunSummary):
            self.compare(row.path, on)
        else:
            others = [run for run in self.app.compared if run not in row.group.runs]
            self.app.compare([*others, *row.group.runs] if on else others)
        return True

    def compare(self, run: Path, on: bool) -> None:
        """Takes a run into the comparison, or out of it."""
        others = [other for other in self.app.compared if other != run]
        self.app.compare([*others, run] if on else others)

    def _on_compared(self) -> None:
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(HEADS) - 1))


class RunList(QtWidgets.QWidget):
    """Search and table.

    Args:
        app: whose runs.
    """

    wants_start = QtCore.Signal()

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.model = RunModel(app)
        self.proxy = QtCore.QSortFilterProxyModel()
        self.proxy.setSourceModel(self.model)
        self.proxy.setFilterKeyColumn(1)
        self.proxy.setFilterRole(SEARCHED)
        self.proxy.setFilterCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        self.search = LineEdit()
        self.search.setPlaceholderText("search")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search runs")
        self.search.textChanged.connect(self.proxy.setFilterFixedString)
        self.search.textChanged.connect(lambda: self._arrange())
        self.grouped = QtWidgets.QCheckBox("group")
        self.grouped.setChecked(app.preferences.grouped)
        self.grouped.setToolTip("Runs that differ by their seed alone together, with mean and deviation")
        self.grouped.setAccessibleName("Group runs by their settings")
        self.grouped.toggled.connect(app.group_runs)
        self.table = QtWidgets.QTableView()
        self.table.setModel(self.proxy)
        self.table.setAccessibleName("Runs")
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTextElideMode(QtCore.Qt.TextElideMode.ElideMiddle)  # names often differ at their ends
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(1, QtWidgets.QHeaderView.ResizeMode.Stretch)
        for column, width in ((0, 24), (2, 50), (3, 44)):
            header.setSectionResizeMode(column, QtWidgets.QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        header.setMinimumSectionSize(22)
        header.setHighlightSections(False)
        self.table.setSortingEnabled(False)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._sort)
        self.table.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._menu)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.table.activated.connect(self._on_fold)
        self.table.clicked.connect(self._on_click)
        self.empty = QtWidgets.QWidget()
        middle = QtWidgets.QVBoxLayout(self.empty)
        self.empty_text = QtWidgets.QLabel("No runs yet.", wordWrap=True)
        self.empty_text.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        start = QtWidgets.QPushButton("Train the experiment")
        start.clicked.connect(self.wants_start)
        middle.addStretch(1)
        middle.addWidget(self.empty_text)
        middle.addWidget(start)
        middle.addStretch(2)
        self.stack = QtWidgets.QStackedLayout()
        self.stack.addWidget(self.table)
        self.stack.addWidget(self.empty)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.grouped)
        layout.addLayout(top)
        layout.addLayout(self.stack, 1)
        self.setMinimumWidth(230)
        app.runs_changed.connect(self.refresh)
        app.current_changed.connect(self.show_current)
        self.refresh()

    def refresh(self) -> None:
        """Shows the runs."""
        self._take()
        self.stack.setCurrentWidget(self.table if self.app.runs else self.empty)
        self.empty_text.setText(f"No runs in {self.app.runs_folder} yet.")
        self.show_current()

    def _take(self) -> None:
        """Shows the lines; those of groups are two high, and go over all columns."""
        if self.app.groups:
            self.proxy.sort(-1)
            self.table.horizontalHeader().setSortIndicatorShown(False)
        if self.model.take(self.app.runs, self.app.groups):
            self._arrange()

    def _arrange(self) -> None:
        self.table.clearSpans()
        header = self.table.verticalHeader()
        header.setDefaultSectionSize(ROW_HEIGHT)
        for line in range(self.proxy.rowCount()):
            row = self.model.rows[self.proxy.mapToSource(self.proxy.index(line, 0)).row()]
            height = 2 * ROW_HEIGHT - 4 if isinstance(row, GroupRow) else ROW_HEIGHT
            if header.sectionSize(line) != height:
                header.resizeSection(line, height)
            if isinstance(row, GroupRow):
                self.table.setSpan(line, 1, 1, len(HEADS) - 1)

    def _on_click(self, index: QtCore.QModelIndex) -> None:
        if index.column() > 0:  # before that there is the tick
            self._on_fold(index)

    def _on_fold(self, index: QtCore.QModelIndex) -> None:
        row = self.model.rows[self.proxy.mapToSource(index).row()]
        if isinstance(row, GroupRow):
            self.model.folded ^= {row.group.label}
            line = index.row()
            self._take()
            self.table.setCurrentIndex(self.proxy.index(line, 1))

    def show_current(self) -> None:
        """Marks the run that is shown."""
        for number, run in enumerate(self.model.rows):
            if isinstance(run, RunSummary) and run.path == self.app.current:
                index = self.proxy.mapFromSource(self.model.index(number, 1))
                if index.isValid() and index.row() != self.table.currentIndex().row():
                    self.table.selectionModel().blockSignals(True)
                    self.table.setCurrentIndex(index)
                    self.table.selectRow(index.row())
                    self.table.selectionModel().blockSignals(False)
                    self.table.viewport().update()

    def _on_row(self, index: QtCore.QModelIndex, *_: object) -> None:
        row = self.model.rows[self.proxy.mapToSource(index).row()] if index.isValid() else None
        if isinstance(row, RunSummary):
            self.app.select(row.path)

    def _sort(self, column: int) -> None:
        if self.app.groups:
            return
        order = self.table.horizontalHeader().sortIndicatorOrder()
        self.table.horizontalHeader().setSortIndicatorShown(True)
        self.proxy.sort(column, order)

    def _menu(self, position: QtCore.QPoint) -> None:
        index = self.table.indexAt(position)
        if not index.isValid():
            return
        run = self.model.rows[self.proxy.mapToSource(index).row()]
        if isinstance(run, GroupRow):
            return
        pinned = self.app.preferences.pinned
        menu = QtWidgets.QMenu(self)
        menu.addAction("Compare", lambda: self.model.compare(run.path, run.path not in self.app.compared))
        menu.addAction("Unpin" if run.name in pinned else "Pin", lambda: self._pin(run.name))
        menu.addAction("Copy path", lambda: QtGui.QGuiApplication.clipboard().setText(str(run.path)))
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(position))

    def _pin(self, name: str) -> None:
        pinned = self.app.preferences.pinned
        self.app.preferences.pinned = [one for one in pinned if one != name] + (
            [] if name in pinned else [name]
        )
        self._take()
