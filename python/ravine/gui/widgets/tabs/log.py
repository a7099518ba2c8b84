"""The Log tab: what the trainer wrote, and what was done to the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6 import QtGui, QtWidgets

from ravine.gui.plots.colours import colours_of
from ravine.gui.state.app import App
from ravine.gui.state.feed import Query
from ravine.gui.state.log import LEVELS, LogLine, LogQuery
from ravine.gui.widgets.fields import ComboBox, LineEdit
from ravine.gui.widgets.tabs.base import Tab


class LogTab(Tab):
    """Lines by level and rank."""

    TITLE = "Log"

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._lines: list[LogLine] = []
        self._run: Path | None = None
        self.level = ComboBox()
        self.level.addItems(["all levels", *LEVELS])
        self.level.setAccessibleName("Level")
        self.level.currentTextChanged.connect(lambda _: self._show())
        self.rank = ComboBox()
        self.rank.addItems(["all ranks"])
        self.rank.setAccessibleName("Rank")
        self.rank.currentTextChanged.connect(lambda _: self._show())
        self.search = LineEdit()
        self.search.setPlaceholderText("search")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search the log")
        self.search.textChanged.connect(lambda _: self._show())
        self.copy = QtWidgets.QPushButton("Copy all")
        self.copy.clicked.connect(self._copy)
        self.text = QtWidgets.QPlainTextEdit(readOnly=True)
        self.text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QtWidgets.QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Log of the run")
        self.text.setPlaceholderText("Nothing is written yet.")
        self.text.setMaximumBlockCount(20_000)
        row = QtWidgets.QHBoxLayout()
        for widget in (self.level, self.rank):
            row.addWidget(widget)
        row.addWidget(self.search, 1)
        row.addWidget(self.copy)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(row)
        layout.addWidget(self.text, 1)

    def queries(self) -> dict[str, Query]:
        return {"log": LogQuery(self.app.current)} if self.app.current else {}

    def show_answers(self, answers: dict[str, Any]) -> None:
        if (lines := answers.get("log")) is not None:
            self._lines = lines
            ranks = sorted({line.rank for line in lines})
            wanted = ["all ranks", *(f"rank {rank}" for rank in ranks)]
            if wanted != [self.rank.itemText(place) for place in range(self.rank.count())]:
                self.rank.clear()
                self.rank.addItems(wanted)
            self._show()

    def shown_lines(self) -> list[LogLine]:
        """The lines that the choices let through."""
        level, rank, words = self.level.currentText(), self.rank.currentText(), self.search.text().lower()
        return [
            line
            for line in self._lines
            if (level not in LEVELS or line.level == level)
            and (not rank.startswith("rank") or line.rank == int(rank.split()[1]))
            and (not words or words in line.text.lower())
        ]

    def _show(self) -> None:
        lines = self.shown_lines()
        text = "\n".join(f"{line.time}  {line.text}" for line in lines)
        if text == self.text.toPlainText():
            return
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        place = bar.value()
        self.text.setPlainText(text)
        self._mark(lines)
        bar.setValue(bar.maximum() if at_end else place)

    def _mark(self, lines: list[LogLine]) -> None:
        colours = colours_of(self.palette())
        marked = []
        for number, line in enumerate(lines):
            if line.level != "note":
                selection = QtWidgets.QTextEdit.ExtraSelection()
                selection.cursor = QtGui.QTextCursor(self.text.document().findBlockByNumber(number))
                selection.cursor.select(QtGui.QTextCursor.SelectionType.LineUnderCursor)
                colour = colours.error if line.level == "error" else colours.of(1)
                selection.format.setForeground(QtGui.QColor(colour))
                marked.append(selection)
        self.text.setExtraSelections(marked[-500:])

    def _copy(self) -> None:
        QtGui.QGuiApplication.clipboard().setText(self.text.toPlainText())
