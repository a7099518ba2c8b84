"""Editors of single settings: each shows one key of the draft, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.draft import Key, dotted
from ravine.gui.state.fields import (
    Field,
    component_fields,
    component_help,
    component_names,
    parsed,
    shown,
)


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

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:  # noqa: N802
        event.ignore()


class FieldEditor(QtWidgets.QWidget):
    """Edits one setting of the draft.

    Args:
        app: whose draft.
        key: in the experiment.
        field: what it is.
    """

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
        default = "required" if self.field.required else f"default: {shown(self.field.default) or 'none'}"
        return "<br>".join([*parts, default])

    def _make(self) -> QtWidgets.QWidget:
        raise NotImplementedError

    def refresh(self) -> None:
        """Shows what the draft says."""
        raise NotImplementedError

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
    """Numbers, lists of numbers and texts."""

    def _make(self) -> QtWidgets.QWidget:
        self.line = LineEdit()
        default = self.field.default
        self.line.setPlaceholderText("required" if self.field.required else shown(default) or "none")
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
        self.take(parsed(self.field, text) if text.strip() else None)

    def _choose(self) -> None:
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, dotted(self.key), str(self.app.draft.folder))
        if path:
            folder = self.app.draft.folder.absolute()
            inside = Path(path).is_relative_to(folder)
            self.take(str(Path(path).relative_to(folder)) if inside else path)

    def refresh(self) -> None:
        text = shown(self.value)
        if parsed(self.field, self.line.text()) != self.value and self.line.text() != text:
            self.line.setText(text)


class ChoiceEditor(FieldEditor):
    """One of some words."""

    def _make(self) -> QtWidgets.QWidget:
        self.box = ComboBox()
        self.box.addItems(list(self.field.choices))
        self.box.textActivated.connect(self._on_choice)
        self._layout.addWidget(self.box)
        return self.box

    def _on_choice(self, text: str) -> None:
        self.take(None if text == self.field.default and not self.field.required else text)

    def refresh(self) -> None:
        value = self.value if self.value is not None else self.field.default
        text = shown(value)
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


class ComponentEditor(FieldEditor):
    """An entry of the catalog, with its settings.

    Args:
        nested: settings are folded away until they are asked for, or the draft has some.
    """

    def __init__(self, app: App, key: Key, field: Field, *, nested: bool = True) -> None:
        self._nested = nested
        self._name = ""
        self.settings: list[FieldEditor] = []
        super().__init__(app, key, field)

    def _make(self) -> QtWidgets.QWidget:
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        self.box = ComboBox()
        self.box.addItems(list(component_names(self.field.component)))
        self.box.textActivated.connect(self._on_choice)
        self.more = tool_button("⋯", checkable=True)
        self.more.setAccessibleName(f"Settings of {dotted(self.key)}")
        self.more.setToolTip("Settings")
        self.more.toggled.connect(self._show_settings)
        row.addWidget(self.box, 1)
        row.addWidget(self.more)
        self._layout.addLayout(row)
        self.body = QtWidgets.QWidget()
        self.form = form_layout(self.body)
        self.form.setContentsMargins(10, 2, 0, 4)
        self.body.hide()
        self._layout.addWidget(self.body)
        return self.box

    @property
    def name(self) -> str:
        """Of the entry that is chosen."""
        value = self.value if self.value is not None else self.field.default
        return str(value.get("type", "")) if isinstance(value, dict) else shown(value)

    def _on_choice(self, text: str) -> None:
        if text != self.name:
            default = not self.field.required and text == shown(self.field.default)
            self.take(None if default else ({"type": text} if not self._nested else text))

    def _show_settings(self, on: bool) -> None:
        if on and not self.settings:
            for field in component_fields(self.field.component, self._name):
                editor = editor_of(self.app, (*self.key, field.key), field)
                self.settings.append(editor)
                add_row(self.form, field, editor)
        self.body.setVisible(on and bool(self.settings))

    def refresh(self) -> None:
        name = self.name
        if self.box.findText(name) < 0:
            self.box.addItem(name)
        self.box.setCurrentText(name)
        if name != self._name:
            self._name = name
            clear(self.form)
            self.settings.clear()
            fields = component_fields(self.field.component, name)
            self.more.setVisible(bool(fields) and self._nested)
            self.box.setToolTip(f"{self._tip()}<br><br>{component_help(self.field.component, name)}")
            if not self._nested:
                self._show_settings(True)
                return
            has_own = isinstance(self.value, dict) and len(self.value) > 1
            self.more.setChecked(has_own)
            self._show_settings(has_own)
        for editor in self.settings:
            editor.refresh()


EDITORS: dict[str, type[FieldEditor]] = {
    "choice": ChoiceEditor, "boolean": SwitchEditor, "component": ComponentEditor,
}  # fmt: skip


def editor_of(app: App, key: Key, field: Field) -> FieldEditor:
    """The editor that suits a field."""
    return EDITORS.get(field.kind, TextEditor)(app, key, field)


def form_layout(parent: QtWidgets.QWidget) -> QtWidgets.QFormLayout:
    """A form: labels on the left, editors as wide as there is room."""
    form = QtWidgets.QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(3)
    form.setHorizontalSpacing(8)
    form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.DontWrapRows)
    return form


def add_row(form: QtWidgets.QFormLayout, field: Field, editor: FieldEditor) -> None:
    """Adds an editor with its label to a form."""
    unit = f" [{field.unit}]" if field.unit else ""
    label = QtWidgets.QLabel(f"{field.label}{unit}")
    label.setBuddy(editor.editor)
    label.setToolTip(editor.editor.toolTip())
    form.addRow(label, editor)


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
