"""The sections of the experiment form: folded away until they are opened, and made only then."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import msgspec
from PySide6 import QtCore, QtWidgets

from ravine.data.settings import FIELD_SOURCES
from ravine.gui.state.app import App
from ravine.gui.state.check import Problem
from ravine.gui.state.draft import Key, dotted
from ravine.gui.state.fields import Field, component_names, section_fields, section_struct, top_fields
from ravine.gui.widgets.fields import (
    ComponentEditor,
    FieldEditor,
    add_row,
    clear,
    editor_of,
    form_layout,
    tool_button,
)
from ravine.hyperparameters import hyperparameters
from ravine.settings import Experiment

FIRST_SCHEDULE = component_names("schedule")[0]


class Section(QtWidgets.QWidget):
    """One section of the experiment.

    Args:
        app: whose draft.
        name: its key in the experiment.
        title: its heading.
    """

    def __init__(self, app: App, name: str, title: str, *, opened: bool = False) -> None:
        super().__init__()
        self.app, self.name, self.title_text = app, name, title
        self.editors: list[FieldEditor] = []
        self._made = False
        self.head = tool_button(title, checkable=True)
        self.head.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.head.setObjectName("section")
        self.head.setAccessibleName(f"Section {title}")
        self.head.toggled.connect(self.unfold)
        self.body = QtWidgets.QWidget()
        self.body.hide()
        self.error = QtWidgets.QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.error.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error.hide()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.head)
        layout.addWidget(self.error)
        layout.addWidget(self.body)
        self.head.setArrowType(QtCore.Qt.ArrowType.RightArrow)
        if opened:
            self.head.setChecked(True)

    def unfold(self, on: bool) -> None:
        """Opens or folds the section."""
        self.head.setArrowType(QtCore.Qt.ArrowType.DownArrow if on else QtCore.Qt.ArrowType.RightArrow)
        if on and not self._made:
            self._made = True
            self.make()
        self.body.setVisible(on)

    def make(self) -> None:
        """Makes the editors."""
        form = form_layout(self.body)
        form.setContentsMargins(8, 0, 4, 6)
        self._add_fields(form, (self.name,))

    def _add_fields(self, form: QtWidgets.QFormLayout, key: Key) -> None:
        struct = section_struct(self.name)
        for field in section_fields(struct) if struct else ():
            if field.kind == "section" and field.struct is not None:
                for inner in section_fields(field.struct):
                    if inner.kind != "section":
                        self._add(form, (*key, field.key, inner.key), inner)
            else:
                self._add(form, (*key, field.key), field)

    def _add(self, form: QtWidgets.QFormLayout, key: Key, field: Field) -> None:
        editor = editor_of(self.app, key, field)
        self.editors.append(editor)
        add_row(form, field, editor)

    def refresh(self) -> None:
        """Shows what the draft says."""
        for editor in self.editors:
            editor.refresh()

    def all_editors(self) -> Iterator[FieldEditor]:
        """The editors, with those of components within."""
        waiting = list(self.editors)
        while waiting:
            editor = waiting.pop(0)
            yield editor
            if isinstance(editor, ComponentEditor):
                waiting += editor.settings

    def show_problems(self, problems: list[Problem]) -> None:
        """Shows problems at their editors, or below the heading where there is none."""
        mine = {one.key: one for one in problems if one.key.split(".")[0] == self.name}
        for editor in self.all_editors():
            found = mine.pop(dotted(editor.key), None)
            if found is None and isinstance(editor, ComponentEditor):
                found = mine.pop(f"{dotted(editor.key)}.type", None)
            editor.show_problem(found.message if found else "", bool(found and found.level == "warning"))
        self.error.setText("\n".join(str(one) for one in mine.values()))
        self.error.setVisible(bool(mine))
        worst = [one for one in problems if one.key.split(".")[0] == self.name and one.level == "error"]
        self.head.setText(f"{self.title_text}  ⚠ {len(worst)}" if worst else self.title_text)

    def editor_at(self, key: str) -> FieldEditor | None:
        """The editor of a key; the section is opened for it."""
        self.head.setChecked(True)
        best = None
        for editor in self.all_editors():
            name = dotted(editor.key)
            if key == name:
                return editor
            if key.startswith(f"{name}."):
                best = editor
        return best


class GeneralSection(Section):
    """Name, seed and loss."""

    def make(self) -> None:
        form = form_layout(self.body)
        form.setContentsMargins(8, 0, 4, 6)
        for field in top_fields():
            self._add(form, (field.key,), field)
        default = next(one.default for one in msgspec.structs.fields(Experiment) if one.name == "loss")
        loss = Field("loss", "component", default, help="what is minimized", component="loss")
        self._add(form, ("loss",), loss)

    def show_problems(self, problems: list[Problem]) -> None:
        tops = ("name", "seed", "loss")
        renamed = [
            Problem(f"{self.name}.{one.key}", one.message, one.level)
            for one in problems
            if one.key.split(".")[0] in tops
        ]
        for editor in self.all_editors():
            keys = (dotted(editor.key), f"{dotted(editor.key)}.type")
            found = next((one for one in problems if one.key in keys), None)
            editor.show_problem(found.message if found else "")
        self.head.setText(f"{self.title_text}  ⚠ {len(renamed)}" if renamed else self.title_text)


class DataSection(Section):
    """The data; settings of other sources are not shown."""

    def make(self) -> None:
        super().make()
        self.refresh()

    def refresh(self) -> None:
        super().refresh()
        source = self.app.draft.get(("data", "source"), "digits")
        form = self.body.layout()
        if not isinstance(form, QtWidgets.QFormLayout):
            return  # not made yet
        for editor in self.editors:
            key = str(editor.key[1])
            sources = FIELD_SOURCES.get(key)
            divisor = key == "divisor" and self.app.draft.get(("data", "preprocessing")) != "scale"
            form.setRowVisible(editor, (sources is None or source in sources) and not divisor)


class ComponentSection(Section):
    """A section that is one entry of the catalog: the optimizer."""

    def make(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.body)
        layout.setContentsMargins(4, 0, 4, 6)
        field = Field(self.name, "component", None, True, "which rule", component=self.name)
        editor = ComponentEditor(self.app, (self.name,), field, nested=False)
        self.editors.append(editor)
        layout.addWidget(editor)


class SchedulesSection(Section):
    """A schedule for each hyperparameter that changes while the run goes on."""

    def make(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.body)
        layout.setContentsMargins(4, 0, 4, 6)
        self.list = QtWidgets.QVBoxLayout()
        layout.addLayout(self.list)
        self.add = tool_button("Add a schedule for…", raised=True)
        self.add.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self.add)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.add.setMenu(menu)
        layout.addWidget(self.add)
        self._names: list[str] = []
        self.refresh()

    def _fill(self, menu: QtWidgets.QMenu) -> None:
        menu.clear()
        check = self.app.check
        settings = check.experiment.optimizer if check and check.experiment else {"learning_rate": 0.1}
        for name in hyperparameters(settings if isinstance(settings, dict) else {}):
            if name not in self._names:
                menu.addAction(
                    name, lambda name=name: self.app.draft.set(("schedules", name), {"type": FIRST_SCHEDULE})
                )

    def refresh(self) -> None:
        table = self.app.draft.get(("schedules",), {})
        names = list(table) if isinstance(table, dict) else []
        if self._made and names != getattr(self, "_names", None):
            self._names = names
            clear(self.list)
            self.editors.clear()
            for name in names:
                self._add_schedule(name)
        super().refresh()

    def _add_schedule(self, name: str) -> None:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(QtWidgets.QLabel(f"<b>{name}</b>"), 1)
        remove = tool_button("✕")
        remove.setAccessibleName(f"Remove the schedule of {name}")
        remove.clicked.connect(lambda: self.app.draft.remove(("schedules", name)))
        row.addWidget(remove)
        self.list.addLayout(row)
        field = Field(name, "component", None, True, "how it changes over the run", component="schedule")
        editor = ComponentEditor(self.app, ("schedules", name), field, nested=False)
        self.editors.append(editor)
        self.list.addWidget(editor)


class ModelSection(Section):
    """The layers, in order; each can be moved, repeated and taken out."""

    def make(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.body)
        layout.setContentsMargins(4, 0, 4, 6)
        layout.setSpacing(2)
        self.list = QtWidgets.QVBoxLayout()
        self.list.setSpacing(2)
        layout.addLayout(self.list)
        self.add = tool_button("Add a layer…", raised=True)
        self.add.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self.add)
        for name in component_names("layer"):
            if name not in ("residual", "columns"):
                menu.addAction(name, lambda name=name: self._append(name))
        self.add.setMenu(menu)
        layout.addWidget(self.add)
        field = next(one for one in section_fields(section_struct("model")) if one.key == "calibrate")
        form = form_layout(holder := QtWidgets.QWidget())
        layout.addWidget(holder)
        self._calibrate = editor_of(self.app, ("model", "calibrate"), field)
        add_row(form, field, self._calibrate)
        self._count = -1
        self.refresh()

    @property
    def layers(self) -> list[object]:
        found = self.app.draft.get(("model", "layers"), [])
        return found if isinstance(found, list) else []

    def _append(self, name: str) -> None:
        layer: object = {"type": name, "units": 10} if name in ("dense", "convolution") else name
        if isinstance(layer, dict) and name == "convolution":
            layer["kernel"] = 3
        self._change([*self.layers, layer], f"add {name}")

    def _change(self, layers: list[object], label: str) -> None:
        table = copy.deepcopy(self.app.draft.table)
        table.setdefault("model", {})["layers"] = layers
        self.app.draft.set_table(table, label)

    def _move(self, index: int, by: int) -> None:
        layers = list(self.layers)
        if 0 <= index + by < len(layers):
            layers.insert(index + by, layers.pop(index))
            self._change(layers, "move a layer")

    def _repeat(self, index: int) -> None:
        layers = list(self.layers)
        layers.insert(index, copy.deepcopy(layers[index]))
        self._change(layers, "repeat a layer")

    def _remove(self, index: int) -> None:
        layers = list(self.layers)
        del layers[index]
        self._change(layers, "take a layer out")

    def refresh(self) -> None:
        if not self._made:
            return
        if len(self.layers) != self._count:
            self._count = len(self.layers)
            clear(self.list)
            self.editors = [self._calibrate]
            for index in range(self._count):
                self._add_layer(index)
        super().refresh()

    def _add_layer(self, index: int) -> None:
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(1)
        number = QtWidgets.QLabel(f"{index + 1}")
        number.setMinimumWidth(18)
        number.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop | QtCore.Qt.AlignmentFlag.AlignRight)
        row.addWidget(number)
        kind = Field("type", "component", None, True, "a layer of the catalog", component="layer")
        editor = ComponentEditor(self.app, ("model", "layers", index), kind)
        self.editors.append(editor)
        row.addWidget(editor, 1)
        tools = tool_button("▾")
        tools.setAccessibleName(f"Move, repeat or take out layer {index + 1}")
        tools.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(tools)
        menu.addAction("Move up", lambda: self._move(index, -1))
        menu.addAction("Move down", lambda: self._move(index, 1))
        menu.addAction("Repeat", lambda: self._repeat(index))
        menu.addAction("Take out", lambda: self._remove(index))
        tools.setMenu(menu)
        row.addWidget(tools, 0, QtCore.Qt.AlignmentFlag.AlignTop)
        self.list.addLayout(row)
