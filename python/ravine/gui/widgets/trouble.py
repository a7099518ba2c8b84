"""The ways out of trouble: what it comes from, and a checkpoint from which a run goes on."""

from __future__ import annotations

import html
import time
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.trouble import Explanation
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.fields import LineEdit
from ravine.training.checkpoint import SavedFile

ALIGN_RIGHT = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
FIRST_FACTOR = 0.1  # of the learning rate that broke


class WhyDialog(QtWidgets.QDialog):
    """Why something went wrong, what helps, and the page that says more.

    Args:
        parent: a widget of the window.
        explanation: what it says.
    """

    def __init__(self, parent: QtWidgets.QWidget, explanation: Explanation) -> None:
        super().__init__(parent.window())
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Why?")
        self.explanation = explanation
        remedies = "".join(f"<li>{html.escape(one)}</li>" for one in explanation.remedies)
        self.text = QtWidgets.QLabel(
            f"<h3>{html.escape(explanation.title)}</h3><p>{html.escape(explanation.text)}</p>"
            f"<p>What helps:</p><ul>{remedies}</ul>",
            wordWrap=True,
        )
        self.text.setMinimumWidth(520)
        self.text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextBrowserInteraction)
        self.text.setAccessibleName(explanation.title)
        buttons = QtWidgets.QDialogButtonBox()
        roles = QtWidgets.QDialogButtonBox.ButtonRole
        self.page = buttons.addButton(f"Read about {explanation.page}", roles.HelpRole)
        self.page.setVisible(explanation.path is not None)
        self.page.clicked.connect(self.open_page)
        copy = buttons.addButton("Copy", roles.ActionRole)
        copy.clicked.connect(lambda: QtGui.QGuiApplication.clipboard().setText(explanation.plain))
        close = buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)

    @classmethod
    def explain(cls, parent: QtWidgets.QWidget, explanation: Explanation) -> None:
        """Opens it."""
        cls(parent, explanation).open()

    def open_page(self) -> None:
        """Shows the page of the theory in whatever shows such files."""
        if self.explanation.path is not None:
            QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(self.explanation.path)))


class RestoreDialog(QtWidgets.QDialog):
    """From which checkpoint a run goes on, and with which learning rate.

    Args:
        parent: the window.
        app: the state.
        run: which one.
        rate: its learning rate; None where its optimizer has none.
        broken: whether it broke with this rate.
    """

    wanted = QtCore.Signal(str, object)  # name of the checkpoint, and settings that change
    HEADS = ("checkpoint", "step", "saved", "training loss", "validation loss")

    def __init__(
        self, parent: QtWidgets.QWidget, app: App, run: Path, rate: float | None, *, broken: bool
    ) -> None:
        super().__init__(parent)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Restore a checkpoint")
        self._run, self._rate = run, rate
        self.files: list[SavedFile] = []
        again = "" if rate is None else f" The learning rate was {rate:g}: it would break again with it."
        self.about = QtWidgets.QLabel(
            f"{run.name} goes on from the checkpoint that you choose, whose numbers are all finite; what "
            f"came after it is dropped.{again if broken else ''}",
            wordWrap=True,
        )
        self.table = QtWidgets.QTableWidget(0, len(self.HEADS))
        self.table.setHorizontalHeaderLabels(list(self.HEADS))
        self.table.setAccessibleName("Checkpoints of the run")
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumSize(560, 150)
        self.rate = LineEdit()
        self.rate.setText("" if rate is None else f"{(FIRST_FACTOR if broken else 1) * rate:.4g}")
        self.rate.setAccessibleName("Learning rate from the checkpoint on")
        self.rate.selectAll()
        self.error = QtWidgets.QLabel(wordWrap=True)
        self.error.setObjectName("error")
        form = QtWidgets.QFormLayout()
        form.addRow("&Learning rate", self.rate)
        form.setRowVisible(self.rate, rate is not None)
        buttons = QtWidgets.QDialogButtonBox()
        self.go = buttons.addButton("Restore and go on", QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setEnabled(False)
        self.go.setDefault(True)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.about)
        layout.addWidget(self.table)
        layout.addLayout(form)
        layout.addWidget(self.error)
        layout.addWidget(buttons)
        (self.table if rate is None else self.rate).setFocus()
        app.work_done.connect(self._on_work)
        app.list_checkpoints(run)

    def _on_work(self, key: object, result: object) -> None:
        if key != ("checkpoints", self._run):
            return
        if isinstance(result, Failure):
            self.error.setText(str(result.error))
            return
        assert isinstance(result, list)
        self.files = result
        self.table.setRowCount(len(self.files))
        for row, file in enumerate(self.files):
            title = "best" if file.name == "best" else f"step-{file.step}" if row else "last"
            texts = (title, f"{file.step:,}", ago(time.time() - file.saved), *self._losses(file))
            for column, text in enumerate(texts):
                item = QtWidgets.QTableWidgetItem(text)
                item.setToolTip("the lowest validation loss" if file.name == "best" else str(file.path))
                if column:
                    item.setTextAlignment(ALIGN_RIGHT)
                self.table.setItem(row, column, item)
        self.go.setEnabled(bool(self.files))
        if self.files:
            self.table.selectRow(0)
        else:
            self.error.setText("There is no checkpoint yet that is whole; start the run anew.")

    @staticmethod
    def _losses(file: SavedFile) -> list[str]:
        found = [file.metrics.get(f"{split}.loss") for split in ("train", "validation")]
        return ["-" if loss is None else f"{loss:.4g}" for loss in found]

    def accept(self) -> None:
        """Takes the checkpoint that is chosen and the rate, if it is one."""
        rows = self.table.selectionModel().selectedRows()
        if not rows:
            return
        row = rows[0].row()
        name = "last" if row == 0 and self.files[0].name != "best" else self.files[row].name
        changes: dict[str, float] = {}
        if self._rate is not None:
            try:
                rate = float(self.rate.text())
            except ValueError:
                rate = -1.0
            if not 0 <= rate < float("inf"):
                self.error.setText("expected a number, at least 0")
                self.rate.setFocus()
                return
            if rate != self._rate:
                changes["optimizer.learning_rate"] = rate
        super().accept()
        self.wanted.emit(name, changes)


def ago(seconds: float) -> str:
    """How long ago something was, in words.

    Example:
        >>> ago(3.2), ago(600), ago(7200), ago(3 * 86400)
        ('3 s ago', '10 min ago', '2 h ago', '3 days ago')
    """
    for size, unit in ((86400, " days"), (3600, " h"), (60, " min")):
        if seconds >= 2 * size or (unit != " days" and seconds >= size):
            return f"{seconds // size:.0f}{unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
