"""Editors with editors within: components and their settings, lists of layers and of tables."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.draft import Key, dotted
from ravine.gui.state.fields import Field, entry_fields, entry_help, entry_names, fresh, some_activation
from ravine.gui.state.values import shown
from ravine.gui.widgets.devices import DeviceEditor
from ravine.gui.widgets.fields import (
    ChoiceEditor,
    ComboBox,
    FieldEditor,
    SwitchEditor,
    TextEditor,
    add_row,
    clear,
    form_layout,
    tool_button,
)
from ravine.gui.widgets.mapping import MappingEditor

MOST_OPEN = 6  # items of a list whose settings are shown at once
ITEM_KEYS = {
    "Alt+Up": "Move up", "Alt+Down": "Move down", "Alt+Insert": "Repeat", "Alt+Delete": "Take out",
}  # fmt: skip


class ComponentEditor(FieldEditor):
    """An entry of the catalog, or one of several tables, with its settings.

    Args:
        nested: settings are folded away until they are asked for, or the draft has some.
        folded: they are folded away in any case.
    """

    def __init__(
        self, app: App, key: Key, field: Field, *, nested: bool = True, folded: bool = False
    ) -> None:
        self._nested, self._folded = nested, folded
        self._name: str | None = None
        self.settings: list[FieldEditor] = []
        super().__init__(app, key, field)

    def _make(self) -> QtWidgets.QWidget:
        self.head = QtWidgets.QHBoxLayout()
        self.head.setContentsMargins(0, 0, 0, 0)
        self.head.setSpacing(2)
        self.box = ComboBox()
        self.box.addItems(list(entry_names(self.field)))
        self.box.fit()
        self.box.textActivated.connect(self._on_choice)
        self.more = tool_button("⋯", checkable=True)
        self.more.setAccessibleName(f"Settings of {dotted(self.key)}")
        self.more.setToolTip("Settings")
        self.more.toggled.connect(self._show_settings)
        self.head.addWidget(self.box, 1)
        self.head.addWidget(self.more)
        self._layout.addLayout(self.head)
        self.body = QtWidgets.QWidget()
        self.form = form_layout(self.body)
        self.form.setContentsMargins(10, 2, 0, 4)
        self.body.hide()
        self._layout.addWidget(self.body)
        return self.box

    @property
    def inner(self) -> list[FieldEditor]:
        return self.settings

    @property
    def name(self) -> str:
        """Of the entry that is chosen."""
        value = self.value if self.value is not None else self.field.default
        return str(value.get("type", "")) if isinstance(value, dict) else shown(value)

    def _on_choice(self, text: str) -> None:
        if text == self.name:
            return
        entry = fresh(self.field, text)
        default = not self.field.required and text == shown(self.field.default)
        self.take(
            None if default else {"type": entry} if isinstance(entry, str) and not self._nested else entry
        )

    def open(self) -> None:
        self.more.setChecked(True)
        self._show_settings(True)

    def _show_settings(self, on: bool) -> None:
        if on and not self.settings:
            for field in entry_fields(self.field, self._name or ""):
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
            fields = entry_fields(self.field, name)
            self.more.setVisible(bool(fields) and self._nested)
            self.box.setToolTip(f"{self._tip()}<br><br>{entry_help(self.field, name)}")
            if not self._nested:
                self._show_settings(True)
                return
            block = any(field.kind in ("layers", "columns") for field in fields)
            folded = self._folded or block
            has_own = isinstance(self.value, dict) and len(self.value) > 1 and not folded
            self.more.setChecked(has_own)
            self._show_settings(has_own)
        for editor in self.settings:
            editor.refresh()


class TableEditor(FieldEditor):
    """A table of one kind, all its settings below each other: a group of parameters."""

    def _make(self) -> QtWidgets.QWidget:
        body = QtWidgets.QWidget()
        form = form_layout(body)
        self.settings: list[FieldEditor] = []
        for field in entry_fields(self.field, ""):
            editor = editor_of(self.app, (*self.key, field.key), field)
            self.settings.append(editor)
            add_row(form, field, editor)
        self._layout.addWidget(body)
        return body

    @property
    def inner(self) -> list[FieldEditor]:
        return self.settings

    def refresh(self) -> None:
        for editor in self.settings:
            editor.refresh()


class ItemsEditor(FieldEditor):
    """A list whose items have settings: each can be moved, repeated and taken out, and new ones added.

    Alt+Up and Alt+Down move the item that has the focus, Alt+Insert repeats it, Alt+Delete takes it out.
    """

    WIDE = True
    ITEM = "item"

    def _make(self) -> QtWidgets.QWidget:
        self.rows = QtWidgets.QVBoxLayout()
        self.rows.setSpacing(2)
        self._layout.addLayout(self.rows)
        self.add = tool_button(f"Add a {self.ITEM}…", raised=True)
        names = self._names()
        if names:
            self.add.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
            menu = QtWidgets.QMenu(self.add)
            menu.setToolTipsVisible(True)
            for name in names:
                action = menu.addAction(name.replace("_", " "), partial(self._append, name))
                action.setToolTip(entry_help(self._item_field, name))
            self.add.setMenu(menu)
        else:
            self.add.setText(f"Add a {self.ITEM}")
            self.add.clicked.connect(lambda: self._append(""))
        self._layout.addWidget(self.add)
        self.editors: list[FieldEditor] = []
        self.tools: list[QtWidgets.QToolButton] = []
        return self.add

    @property
    def _item_field(self) -> Field:
        """What an item is."""
        field = self.field
        return Field(
            "type", "component", None, True, field.help, component=field.component, entries=field.entries
        )

    def _names(self) -> tuple[str, ...]:
        """Kinds of items; none where all are alike."""
        return tuple(name for name in entry_names(self._item_field) if name)

    def _new(self, name: str) -> Any:
        return fresh(self._item_field, name)

    def _item(self, index: int) -> FieldEditor:
        key = (*self.key, index)
        if not self._names():
            return TableEditor(self.app, key, self._item_field)
        # A deep network has hundreds of editors, which take a second to make.
        return ComponentEditor(self.app, key, self._item_field, folded=len(self.items) > MOST_OPEN)

    @property
    def inner(self) -> list[FieldEditor]:
        return self.editors

    @property
    def items(self) -> list[Any]:
        """What the draft has."""
        found = self.value if self.value is not None else self.field.default
        return list(found) if isinstance(found, (list, tuple)) else []

    def _change(self, items: list[Any], label: str, focus: int) -> None:
        draft = self.app.draft
        draft.end_burst()
        if items or self.field.required:
            draft.set(self.key, items, label)
        else:
            draft.remove(self.key)
        draft.end_burst()
        if self.tools:
            self.tools[max(0, min(focus, len(self.tools) - 1))].setFocus()

    def _append(self, name: str) -> None:
        items = self.items
        self._change(
            [*items, self._new(name)], f"add {name.replace('_', ' ') or f'a {self.ITEM}'}", len(items)
        )

    def shift(self, index: int, by: int) -> None:
        """Moves an item up or down."""
        items = self.items
        if 0 <= index + by < len(items):
            items.insert(index + by, items.pop(index))
            self._change(items, f"move a {self.ITEM}", index + by)

    def repeat(self, index: int) -> None:
        """Puts another one like it behind an item; a name of its own stays with the first."""
        items = self.items
        again = copy.deepcopy(items[index])
        if isinstance(again, dict):
            again.pop("name", None)
        items.insert(index + 1, again)
        self._change(items, f"repeat a {self.ITEM}", index + 1)

    def take_out(self, index: int) -> None:
        """Takes an item out."""
        items = self.items
        del items[index]
        self._change(items, f"take a {self.ITEM} out", index)

    def refresh(self) -> None:
        count = len(self.items)
        if count != len(self.editors):
            clear(self.rows)
            self.editors.clear()
            self.tools.clear()
            for index in range(count):
                self._add_row(index)
        for editor in self.editors:
            editor.refresh()

    def _add_row(self, index: int) -> None:
        editor = self._item(index)
        self.editors.append(editor)
        tools = tool_button("▾")
        tools.setAccessibleName(f"Move, repeat or take out {self.ITEM} {dotted((*self.key, index))}")
        tools.setToolTip(f"Move, repeat or take out this {self.ITEM}")
        tools.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        tools.setObjectName("tools")
        menu = QtWidgets.QMenu(tools)
        for keys, does in self._does(index).items():
            menu.addAction(f"{ITEM_KEYS[keys]}\t{keys}", does)
        tools.setMenu(menu)
        self.tools.append(tools)
        number = QtWidgets.QLabel()
        if isinstance(editor, ComponentEditor):
            number.setText(f"{index + 1}")
            number.setMinimumWidth(18)
            head = editor.head
            head.insertWidget(0, number)
        else:
            number.setText(f"{self.ITEM} {index + 1}")
            editor.setContentsMargins(10, 0, 0, 4)
            head = QtWidgets.QHBoxLayout()
            head.addWidget(number, 1)
            self.rows.addLayout(head)
        head.addWidget(tools)
        self.rows.addWidget(editor)
        for widget in (number, editor, tools):
            widget.show()  # now, as it may be about to get the focus

    def act(self, name: str, focused: QtWidgets.QWidget) -> None:
        """Does what a key asks for with the item that a widget is in."""
        for index, editor in enumerate(self.editors):
            if self.tools[index] is focused or editor.isAncestorOf(focused):
                self._does(index)[name]()
                return

    def _does(self, index: int) -> dict[str, Callable[[], None]]:
        return {
            "Alt+Up": partial(self.shift, index, -1),
            "Alt+Down": partial(self.shift, index, 1),
            "Alt+Insert": partial(self.repeat, index),
            "Alt+Delete": partial(self.take_out, index),
        }


def add_item_keys(parent: QtWidgets.QWidget) -> None:
    """Lets keys move, repeat and take out the item of a list that the focus is in, of the innermost list."""
    for name in ITEM_KEYS:
        shortcut = QtGui.QShortcut(QtGui.QKeySequence(name), parent)
        shortcut.setContext(QtCore.Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(partial(_on_item_key, parent, name))


def _on_item_key(parent: QtWidgets.QWidget, name: str) -> None:
    focused = parent.focusWidget()
    around: QtWidgets.QWidget | None = focused
    while around is not None and around is not parent:
        if isinstance(around, ItemsEditor) and focused is not None and focused is not around.add:
            around.act(name, focused)
            return
        around = around.parentWidget()


class LayersEditor(ItemsEditor):
    """Layers behind each other: of the network, or of a block."""

    ITEM = "layer"

    @property
    def _item_field(self) -> Field:
        return Field("type", "component", None, True, "a layer of the catalog", component="layer")


class ColumnsEditor(ItemsEditor):
    """Lists of layers side by side."""

    ITEM = "column"

    def _names(self) -> tuple[str, ...]:
        return ()

    def _new(self, name: str) -> Any:
        return [some_activation()]

    def _item(self, index: int) -> FieldEditor:
        return LayersEditor(
            self.app, (*self.key, index), Field(f"column {index + 1}", "layers", None, True, self.field.help)
        )


class TablesEditor(ItemsEditor):
    """Tables of settings: steps of augmentation, groups of parameters."""

    @property
    def ITEM(self) -> str:  # type: ignore[override]  # noqa: N802
        return "step" if self.field.key == "augmentation" else "group"


EDITORS: dict[str, type[FieldEditor]] = {
    "choice": ChoiceEditor, "boolean": SwitchEditor, "component": ComponentEditor, "mapping": MappingEditor,
    "layers": LayersEditor, "columns": ColumnsEditor, "tables": TablesEditor, "device": DeviceEditor,
}  # fmt: skip


def editor_of(app: App, key: Key, field: Field) -> FieldEditor:
    """The editor that suits a field."""
    return EDITORS.get(field.kind, TextEditor)(app, key, field)
