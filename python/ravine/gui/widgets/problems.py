"""The problems bar: what went wrong, why, and the ways out."""

from __future__ import annotations

from functools import partial

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App, Notice
from ravine.gui.state.trouble import EXPLANATIONS
from ravine.gui.widgets.fields import tool_button
from ravine.gui.widgets.trouble import WhyDialog

MOST_SHOWN = 4


class ProblemsBar(QtWidgets.QFrame):
    """Problems of the draft and of runs, each with what can be done about it.

    Args:
        app: whose problems.
    """

    wants_key = QtCore.Signal(str)
    wants_resume = QtCore.Signal(object)
    wants_restore = QtCore.Signal(object)
    wants_run = QtCore.Signal(object)

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.setObjectName("problems")
        self.rows = QtWidgets.QVBoxLayout(self)
        self.rows.setContentsMargins(8, 3, 8, 3)
        self.rows.setSpacing(1)
        app.notices_changed.connect(self.refresh)
        app.checked.connect(self.refresh)
        app.draft_changed.connect(self.refresh)
        self._shown: list[Notice] = []
        self.refresh()

    def notices(self) -> list[Notice]:
        """All that stands there."""
        draft = [Notice(one.level, str(one), None, one.key) for one in self.app.problems]
        return [*self.app.notices, *draft]

    def refresh(self) -> None:
        """Shows the problems."""
        notices = self.notices()
        if notices == self._shown:
            self.setVisible(bool(notices))
            return
        self._shown = notices
        while self.rows.count():
            item = self.rows.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for notice in notices[:MOST_SHOWN]:
            self.rows.addWidget(self._row(notice))
        if len(notices) > MOST_SHOWN:
            self.rows.addWidget(QtWidgets.QLabel(f"and {len(notices) - MOST_SHOWN} more"))
        self.setVisible(bool(notices))

    def _row(self, notice: Notice) -> QtWidgets.QWidget:
        row = QtWidgets.QWidget()
        layout = QtWidgets.QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        sign = QtWidgets.QLabel({"error": "✗", "warning": "⚠", "note": "•"}[notice.level])
        sign.setObjectName("error" if notice.level == "error" else "warning")
        text = QtWidgets.QLabel(notice.text, wordWrap=True)
        text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        text.setTextInteractionFlags(
            QtCore.Qt.TextInteractionFlag.TextSelectableByMouse
            | QtCore.Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        layout.addWidget(sign)
        layout.addWidget(text, 1)
        if notice.resumable and notice.run is not None and notice.trouble == "not finite":
            layout.addWidget(
                self._button("Restore checkpoint…", partial(self.wants_restore.emit, notice.run))
            )
        elif notice.resumable and notice.run is not None:
            layout.addWidget(self._button("Resume", partial(self.wants_resume.emit, notice.run)))
        if notice.run is not None and notice.run != self.app.current:
            layout.addWidget(self._button("Show", partial(self.wants_run.emit, notice.run)))
        if notice.key:
            layout.addWidget(self._button("Go to", partial(self.wants_key.emit, notice.key)))
        if notice.trouble:
            why = partial(WhyDialog.explain, self, EXPLANATIONS[notice.trouble])
            layout.addWidget(self._button("Why?", why))
        layout.addWidget(self._button("Copy", partial(_copy, notice.text)))
        if notice in self.app.notices:
            layout.addWidget(self._button("✕", partial(self.app.dismiss, notice), f"Dismiss: {notice.text}"))
        return row

    def _button(self, text: str, does: partial[None], name: str = "") -> QtWidgets.QToolButton:
        button = tool_button(text, raised=True)
        button.setAccessibleName(name or text)
        button.clicked.connect(lambda: does())
        return button


def _copy(text: str) -> None:
    QtGui.QGuiApplication.clipboard().setText(text)
