"""Editors of single settings: each shows one key of the draft, and what is wrong with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.draft import Key, dotted
from ravine.gui.state.fields import Field, named
from ravine.gui.state.values import shown

LONGEST = 165  # pixels of a choice that are always seen
FOLDERS = ("cache",)  # files that are folders


class LineEdit(QtWidgets.QLineEdit):
    """A line whose undo is the experiment's."""

    def event(self, event: QtCore.QEvent) -> bool:
        """Leaves the keys of undo and redo to the window."""
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and isinstance(event, QtGui.QKeyEvent):
            keys = QtGui.QKeySequence.StandardKey
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                return False
        return super().event(event)


class ComboBox(QtWidgets.QComboBox):
    """A choice that the wheel does not change while a form is scrolled."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(5)

    def fit(self) -> None:
        """As wide as its longest choice, within reason; all of it is in the list that opens."""
        metrics = self.fontMetrics()
        texts = [self.itemText(number) for number in range(self.count())]
        widest = max(map(metrics.horizontalAdvance, texts), default=0)
        self.setMinimumContentsLength(math.ceil(min(widest, LONGEST) / metrics.horizontalAdvance("X")))

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:  # noqa: N802
        event.ignore()


class FieldEditor(QtWidgets.QWidget):
    """Edits one setting of the draft.

    Args:
        app: whose draft.
        key: in the experiment.
        field: what it is.
    """

    WIDE = False  # whether it takes a whole line of a form, below its label

    def __init__(self, app: App, key: Key, field: Field) -> None:
        super().__init__()
        self.app, self.key, self.field = app, key, field
        self.error = QtWidgets.QLabel()
        self.error.setWordWrap(True)
        self.error.setObjectName("error")
        self.error.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error.hide()
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self.editor = self._make()
        self.editor.setAccessibleName(dotted(key))
        self.editor.setToolTip(self._tip())
        self._layout.addWidget(self.error)
        self.refresh()

    def _tip(self) -> str:
        parts = [f"<b>{dotted(self.key)}</b>", self.field.help]
        if self.field.allowed:
            parts.append(f"<i>{self.field.allowed}{f' [{self.field.unit}]' if self.field.unit else ''}</i>")
        default = "required" if self.field.required else f"default: {self._default_text or 'none'}"
        return "<br>".join([*parts, default])

    @property
    def _default_text(self) -> str:
        default = self.field.default
        if isinstance(default, (list, tuple, dict)) and not default:
            return ""
        return named(default) if self.field.kind == "choice" else shown(default)

    def _make(self) -> QtWidgets.QWidget:
        raise NotImplementedError

    def refresh(self) -> None:
        """Shows what the draft says."""
        raise NotImplementedError

    @property
    def inner(self) -> list[FieldEditor]:
        """Editors within this one, as far as they are made."""
        return []

    def open(self) -> None:
        """Makes and shows the editors within, so that one of them can be gone to."""

    @property
    def value(self) -> Any:
        """What the draft says; None where it leaves the default."""
        return self.app.draft.get(self.key)

    def take(self, value: Any) -> None:
        """Puts a value into the draft; None goes back to the default."""
        if value is None:
            if self.value is not None:
                self.app.draft.remove(self.key)
        elif value != self.value or type(value) is not type(self.value):
            self.app.draft.set(self.key, value)

    def show_problem(self, message: str, warning: bool = False) -> None:
        """Shows what is wrong below the editor; nothing where the message is empty."""
        allowed = self.field.allowed
        if message and allowed and allowed not in message and len(allowed) < 80:
            message = f"{message} ({allowed})"
        self.error.setText(message)
        self.error.setProperty("warning", warning)
        self.error.setVisible(bool(message))


class TextEditor(FieldEditor):
    """Numbers, texts, and lists of them."""

    def _make(self) -> QtWidgets.QWidget:
        self.line = LineEdit()
        self.line.setPlaceholderText("required" if self.field.required else self._default_text or "none")
        if self.field.choices:
            self.line.setCompleter(QtWidgets.QCompleter(list(self.field.choices), self.line))
        self.line.textEdited.connect(self._on_text)
        self.line.editingFinished.connect(self.app.draft.end_burst)
        if self.field.kind != "file":
            self._layout.addWidget(self.line)
            return self.line
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        button = tool_button("…", raised=True)
        button.setAccessibleName(f"Choose a file for {dotted(self.key)}")
        button.clicked.connect(self._choose)
        row.addWidget(self.line, 1)
        row.addWidget(button)
        self._layout.addLayout(row)
        return self.line

    def _on_text(self, text: str) -> None:
        self.take(self.field.parsed(text) if text.strip() else None)

    def _choose(self) -> None:
        title, start = dotted(self.key), str(self.app.draft.folder)
        if self.field.key in FOLDERS:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, title, start)
        else:
            path, _ = QtWidgets.QFileDialog.getOpenFileName(self, title, start)
        if path:
            folder = self.app.draft.folder.absolute()
            inside = Path(path).is_relative_to(folder)
            self.take(str(Path(path).relative_to(folder)) if inside else path)

    def refresh(self) -> None:
        text = self.field.written(self.value)
        typed = self.field.parsed(self.line.text()) if self.line.text().strip() else None
        if (typed != self.value or type(typed) is not type(self.value)) and self.line.text() != text:
            self.line.setText(text)


class ChoiceEditor(FieldEditor):
    """One of some words, or of yes and no and some words."""

    def _make(self) -> QtWidgets.QWidget:
        self.box = ComboBox()
        self.box.addItems([named(choice) for choice in self.field.choices])
        self.box.fit()
        self.box.textActivated.connect(self._on_choice)
        self._layout.addWidget(self.box)
        return self.box

    def _on_choice(self, text: str) -> None:
        for choice in self.field.choices:
            if named(choice) == text:
                self.take(
                    None
                    if choice == self.field.default
                    and type(choice) is type(self.field.default)
                    and not self.field.required
                    else choice
                )

    def refresh(self) -> None:
        value = self.value if self.value is not None else self.field.default
        text = named(value) if isinstance(value, (str, bool)) else shown(value)
        if self.box.findText(text) < 0:
            self.box.addItem(text)  # what a typed text says, however wrong
        self.box.setCurrentText(text)


class SwitchEditor(FieldEditor):
    """Yes or no."""

    def _make(self) -> QtWidgets.QWidget:
        self.box = QtWidgets.QCheckBox()
        self.box.clicked.connect(lambda on: self.take(None if on == self.field.default else on))
        self._layout.addWidget(self.box)
        return self.box

    def refresh(self) -> None:
        value = self.value if self.value is not None else self.field.default
        self.box.setChecked(value is True)


def form_layout(parent: QtWidgets.QWidget) -> QtWidgets.QFormLayout:
    """A form: labels on the left, editors as wide as there is room."""
    form = QtWidgets.QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(3)
    form.setHorizontalSpacing(8)
    form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
    return form


def add_row(form: QtWidgets.QFormLayout, field: Field, editor: FieldEditor) -> None:
    """Adds an editor with its label to a form."""
    unit = f" [{field.unit}]" if field.unit else ""
    label = QtWidgets.QLabel(f"{field.label}{unit}")
    label.setBuddy(editor.editor)
    label.setToolTip(editor.editor.toolTip())
    if editor.WIDE:
        form.addRow(label)
        form.addRow(editor)
    else:
        form.addRow(label, editor)
    for widget in (label, editor):
        widget.show()  # now, and not in the next turn of the event loop: it may be about to get the focus


def clear(layout: QtWidgets.QLayout) -> None:
    """Takes all widgets out of a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item is None:
            return
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear(inner)


def tool_button(text: str, *, checkable: bool = False, raised: bool = False) -> QtWidgets.QToolButton:
    """A small button that the tab key comes to."""
    button = QtWidgets.QToolButton()
    button.setText(text)
    button.setCheckable(checkable)
    button.setAutoRaise(not raised)
    button.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    return button
