"""The ways out of trouble: what it comes from, and the last checkpoint with another learning rate."""

from __future__ import annotations

import html

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.trouble import Explanation
from ravine.gui.widgets.fields import LineEdit

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
    """With which learning rate a run goes on from its last checkpoint.

    Args:
        parent: the window.
        name: of the run.
        rate: with which it broke.
    """

    wanted = QtCore.Signal(float)

    def __init__(self, parent: QtWidgets.QWidget, name: str, rate: float) -> None:
        super().__init__(parent)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Restore the last checkpoint")
        about = QtWidgets.QLabel(
            f"{name} goes on from its last checkpoint, whose numbers are all finite; what came after is "
            f"dropped. The learning rate was {rate:g}: with the same one it would break again.",
            wordWrap=True,
        )
        about.setMinimumWidth(420)
        self.rate = LineEdit()
        self.rate.setText(f"{FIRST_FACTOR * rate:.4g}")
        self.rate.setAccessibleName("Learning rate from the checkpoint on")
        self.rate.selectAll()
        self.error = QtWidgets.QLabel()
        self.error.setObjectName("error")
        form = QtWidgets.QFormLayout()
        form.addRow("Learning rate", self.rate)
        buttons = QtWidgets.QDialogButtonBox()
        self.go = buttons.addButton("Restore and go on", QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(self.error)
        layout.addWidget(buttons)

    def accept(self) -> None:
        """Takes the rate, if it is one."""
        try:
            rate = float(self.rate.text())
        except ValueError:
            rate = -1.0
        if not 0 <= rate < float("inf"):
            self.error.setText("expected a number, at least 0")
            return
        super().accept()
        self.wanted.emit(rate)
