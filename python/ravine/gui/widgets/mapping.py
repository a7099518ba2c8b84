"""The editor of settings that say something for each column of a table."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets

from ravine.gui.state.draft import dotted
from ravine.gui.state.values import shown
from ravine.gui.widgets.fields import ComboBox, FieldEditor, LineEdit, clear, tool_button

BY_COLUMN = "by column…"
ALL_COLUMNS = "*"


class MappingEditor(FieldEditor):
    """A word for each column, or one for all of them."""

    WIDE = True

    def _make(self) -> QtWidgets.QWidget:
        self.one = ComboBox()
        self.one.addItems([*self.field.choices, BY_COLUMN])
        self.one.fit()
        self.one.setVisible(self.field.several)
        self.one.setAccessibleName(f"{dotted(self.key)} of all columns")
        self.one.textActivated.connect(self._on_one)
        self.rows = QtWidgets.QVBoxLayout()
        self.rows.setSpacing(2)
        self.add = tool_button("Add a column…", raised=True)
        self.add.clicked.connect(self._append)
        self._layout.addWidget(self.one)
        self._layout.addLayout(self.rows)
        self._layout.addWidget(self.add)
        self.lines: list[tuple[LineEdit, ComboBox]] = []
        self._names: list[str] = []
        return self.one if self.field.several else self.add

    @property
    def table(self) -> dict[str, Any]:
        """The word of each column."""
        return dict(self.value) if isinstance(self.value, dict) else {}

    def _on_one(self, text: str) -> None:
        if text != BY_COLUMN:
            self.take(None if text == self.field.default else text)
        elif not self.table:
            self.take({ALL_COLUMNS: self.value if isinstance(self.value, str) else self.field.default})

    def _put(self, table: dict[str, Any]) -> None:
        self.app.draft.end_burst()
        self.take(table or None)
        self.app.draft.end_burst()

    def _append(self) -> None:
        taken = self.table
        number = next(number for number in range(1, len(taken) + 2) if f"column {number}" not in taken)
        self._put({**taken, f"column {number}": self.field.choices[0]})
        self.lines[-1][0].setFocus()
        self.lines[-1][0].selectAll()

    def _rename(self, old: str, line: LineEdit) -> None:
        new, table = line.text(), self.table
        if new == old or old not in table:
            return
        if new in table:
            self.show_problem(f"there is a column {new!r} already")
            return
        self._put({new if name == old else name: word for name, word in table.items()})

    def _remove(self, name: str) -> None:
        self._put({other: word for other, word in self.table.items() if other != name})

    def refresh(self) -> None:
        table = self.table
        by_column = isinstance(self.value, dict)
        text = BY_COLUMN if by_column else shown(self.value if self.value is not None else self.field.default)
        if self.field.several and self.one.findText(text) < 0:
            self.one.addItem(text)
        self.one.setCurrentText(text)
        self.add.setVisible(by_column or not self.field.several)
        if self._names != list(table):
            self._names = list(table)
            clear(self.rows)
            self.lines.clear()
            for name in table:
                self._add_line(name)
        for (_, box), word in zip(self.lines, table.values(), strict=True):
            if box.findText(shown(word)) < 0:
                box.addItem(shown(word))
            box.setCurrentText(shown(word))

    def _add_line(self, name: str) -> None:
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        line, box, remove = LineEdit(), ComboBox(), tool_button("✕")
        line.setText(name)
        line.setAccessibleName(f"Column of {dotted(self.key)}")
        line.setToolTip("a column; * stands for all others")
        line.editingFinished.connect(lambda: self._rename(name, line))
        box.addItems(list(self.field.choices))
        box.fit()
        box.setAccessibleName(f"{dotted(self.key)} of {name}")
        box.textActivated.connect(lambda word: self._put({**self.table, name: word}))
        remove.setAccessibleName(f"Remove {name} from {dotted(self.key)}")
        remove.clicked.connect(lambda: self._remove(name))
        row.addWidget(line, 1)
        row.addWidget(box)
        row.addWidget(remove)
        self.rows.addLayout(row)
        for widget in (line, box, remove):
            widget.show()  # now, as it may be about to get the focus
        self.lines.append((line, box))
