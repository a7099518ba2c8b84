"""The sections of the experiment form: folded away until they are opened, and made only then."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6 import QtCore, QtWidgets

from ravine.data.settings import FIELD_SOURCES
from ravine.gui.state.app import App
from ravine.gui.state.check import Problem
from ravine.gui.state.draft import Key, dotted
from ravine.gui.state.fields import Field, component_names, section_fields, section_struct, top_fields
from ravine.gui.widgets.fields import FieldEditor, add_row, clear, form_layout, tool_button
from ravine.gui.widgets.nested import ComponentEditor, editor_of
from ravine.hyperparameters import hyperparameters
from ravine.settings import Experiment

FIRST_SCHEDULE = component_names("schedule")[0]
TOPS = ("name", "seed", "loss")
# Settings of `[data]` that only some preprocessing knows.
PREPROCESSING = {
    "divisor": ("scale",),
    "components": ("pca", "pca_whitening"),
    "epsilon": ("pca_whitening", "zca"),
}


class Fold(QtWidgets.QWidget):
    """What is folded away below a heading until it is opened, and made only then."""

    def __init__(self, title: str, kind: str = "Section") -> None:
        super().__init__()
        self.title_text = title
        self.made = False
        self.head = tool_button(title, checkable=True)
        self.head.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.head.setObjectName("section")
        self.head.setAccessibleName(f"{kind} {title}")
        self.head.toggled.connect(self.unfold)
        self.head.setArrowType(QtCore.Qt.ArrowType.RightArrow)
        self.body = QtWidgets.QWidget()
        self.body.hide()
        self.column = QtWidgets.QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(2)
        self.column.addWidget(self.head)
        self.column.addWidget(self.body)

    def unfold(self, on: bool) -> None:
        """Opens or folds it."""
        self.head.setArrowType(QtCore.Qt.ArrowType.DownArrow if on else QtCore.Qt.ArrowType.RightArrow)
        if on and not self.made:
            self.made = True
            self.make()
        self.body.setVisible(on)

    def make(self) -> None:
        """Makes what is below the heading."""
        raise NotImplementedError


class Section(Fold):
    """One section of the experiment.

    Args:
        app: whose draft.
        name: its key in the experiment.
        title: its heading.
    """

    def __init__(self, app: App, name: str, title: str, *, opened: bool = False) -> None:
        super().__init__(title)
        self.app, self.name = app, name
        self.editors: list[FieldEditor] = []
        self.parts: list[Part] = []
        self.error = QtWidgets.QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.error.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error.setContentsMargins(8, 0, 4, 2)
        self.error.hide()
        self.column.insertWidget(1, self.error)
        if opened:
            self.head.setChecked(True)

    def unfold(self, on: bool) -> None:
        super().unfold(on)
        if on:
            self.show_problems(self.app.problems)

    def make(self) -> None:
        struct = section_struct(self.name)
        form = form_layout(self.body)
        form.setContentsMargins(8, 0, 4, 6)
        for field in section_fields(struct) if struct else ():
            self._add(form, (self.name, field.key), field)

    def _add(self, form: QtWidgets.QFormLayout, key: Key, field: Field) -> None:
        if field.kind == "section" and field.struct is not None:
            part = Part(self.app, key, field)
            self.parts.append(part)
            form.addRow(part)
            return
        editor = editor_of(self.app, key, field)
        self.editors.append(editor)
        add_row(form, field, editor)

    def refresh(self) -> None:
        """Shows what the draft says."""
        for editor in self.editors:
            editor.refresh()
        for part in self.parts:
            part.refresh()

    def all_editors(self) -> Iterator[FieldEditor]:
        """The editors that are made, with those within."""
        waiting = [*self.editors, *(editor for part in self.parts for editor in part.editors)]
        while waiting:
            editor = waiting.pop(0)
            yield editor
            waiting += editor.inner

    def show_problems(self, problems: list[Problem]) -> None:
        """Shows problems at their editors, or below the heading where there is none."""
        mine = {one.key: one for one in problems if self._has(one.key)}
        errors = [one for one in mine.values() if one.level == "error"]
        for editor in self.all_editors():
            key = dotted(editor.key)
            found = mine.pop(key, None) or mine.pop(f"{key}.type", None)
            editor.show_problem(found.message if found else "", bool(found and found.level == "warning"))
        self.error.setText("\n".join(str(one) for one in mine.values()))
        self.error.setVisible(bool(mine))
        self.head.setText(f"{self.title_text}  ⚠ {len(errors)}" if errors else self.title_text)

    def _has(self, key: str) -> bool:
        return key.split(".")[0] == self.name

    def editor_at(self, key: str) -> FieldEditor | None:
        """The editor of a key, or the nearest around it; what it is in is opened for it."""
        self.head.setChecked(True)
        for part in self.parts:
            if key.startswith(f"{dotted(part.key)}."):
                part.head.setChecked(True)
        best: FieldEditor | None = None
        while True:
            around = [
                editor
                for editor in self.all_editors()
                if key == dotted(editor.key) or key.startswith(f"{dotted(editor.key)}.")
            ]
            nearest = max(around, key=lambda editor: len(editor.key), default=None)
            if nearest is None or nearest is best or dotted(nearest.key) == key:
                return nearest
            best = nearest
            nearest.open()


class Part(Fold):
    """A section within a section; opened where the experiment says something about it."""

    def __init__(self, app: App, key: Key, field: Field) -> None:
        super().__init__(field.label.capitalize(), "Part")
        self.app, self.key, self.field = app, key, field
        self.editors: list[FieldEditor] = []
        self.head.setToolTip(field.help)
        self.head.setChecked(bool(app.draft.get(key)))

    def make(self) -> None:
        assert self.field.struct is not None
        form = form_layout(self.body)
        form.setContentsMargins(12, 0, 0, 4)
        for field in section_fields(self.field.struct):
            editor = editor_of(self.app, (*self.key, field.key), field)
            self.editors.append(editor)
            add_row(form, field, editor)

    def refresh(self) -> None:
        """Shows what the draft says."""
        for editor in self.editors:
            editor.refresh()


class GeneralSection(Section):
    """Name, seed and loss."""

    def make(self) -> None:
        form = form_layout(self.body)
        form.setContentsMargins(8, 0, 4, 6)
        for field in top_fields():
            self._add(form, (field.key,), field)

    def _has(self, key: str) -> bool:
        return key.split(".")[0] in TOPS


class DataSection(Section):
    """The data; settings of other sources are not shown."""

    def make(self) -> None:
        super().make()
        self.refresh()

    def refresh(self) -> None:
        super().refresh()
        draft = self.app.draft
        source, preprocessing = draft.get(("data", "source"), "digits"), draft.get(("data", "preprocessing"))
        form = self.body.layout()
        if not isinstance(form, QtWidgets.QFormLayout):
            return  # not made yet
        widgets: list[FieldEditor | Part] = [*self.editors, *self.parts]
        for widget in widgets:
            key = str(widget.key[1])
            sources, kinds = FIELD_SOURCES.get(key), PREPROCESSING.get(key)
            wanted = (sources is None or source in sources) and (kinds is None or preprocessing in kinds)
            form.setRowVisible(widget, wanted or draft.get(widget.key) is not None)


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
        if self.made and names != getattr(self, "_names", None):
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
    """The layers, in order."""

    def make(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.body)
        layout.setContentsMargins(4, 0, 4, 6)
        layout.setSpacing(2)
        fields = {one.key: one for one in section_fields(section_struct("model"))}
        layers = editor_of(self.app, ("model", "layers"), fields.pop("layers"))
        self.editors.append(layers)
        layout.addWidget(layers)
        form = form_layout(holder := QtWidgets.QWidget())
        for field in fields.values():
            self._add(form, ("model", field.key), field)
        layout.addWidget(holder)


class GroupsSection(Section):
    """Parameters that are trained otherwise."""

    def make(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.body)
        layout.setContentsMargins(4, 0, 4, 6)
        field = next(one for one in section_fields(Experiment) if one.key == self.name)
        editor = editor_of(self.app, (self.name,), field)
        self.editors.append(editor)
        layout.addWidget(editor)
