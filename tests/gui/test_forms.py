"""The form: every setting of an experiment has an editor for every kind of value, nested ones too."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType
from PySide6 import QtCore, QtGui, QtWidgets

from ravine import _core
from ravine.gui.state.draft import Key
from ravine.gui.state.fields import component_fields, named, section_fields, some_activation
from ravine.gui.state.presets import PRESETS, with_preset
from ravine.gui.widgets.fields import ChoiceEditor, FieldEditor, SwitchEditor, TextEditor
from ravine.gui.widgets.mapping import BY_COLUMN, MappingEditor
from ravine.gui.widgets.nested import ComponentEditor, ItemsEditor, editor_of
from ravine.settings import Experiment

TIMEOUT = 20_000
SOME = some_activation()
Keys = QtCore.Qt.Key
ALT = QtCore.Qt.KeyboardModifier.AltModifier


def members(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) is Annotated:
        return members(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(inner for one in typing.get_args(kind) for inner in members(one))
    return (kind,)


def structs(kind: Any) -> list[type[Struct]]:
    return [one for one in members(kind) if isinstance(one, type) and issubclass(one, Struct)]


def settings(struct: type[Struct], key: Key = ()) -> Iterator[tuple[Key, type[Struct], str, Any]]:
    """Every setting with its annotation, tables within tables too, from Python's own type hints."""
    for name, kind in typing.get_type_hints(struct, include_extras=True).items():
        if typing.get_origin(kind) is typing.ClassVar:
            continue
        if found := structs(kind):
            yield from settings(found[0], (*key, name))
            continue
        yield (*key, name), struct, name, kind
        for one in members(kind):
            for inner in typing.get_args(one) if typing.get_origin(one) is list else ():
                for element in structs(inner):
                    yield from settings(element, (*key, name, 0))


def samples(kind: Any, name: str) -> list[Any]:
    """A value of every kind that an annotation allows."""
    found: list[Any] = []
    for one in members(kind):
        arguments = typing.get_args(one)
        if one in (UnsetType, UNSET):
            continue
        if one is bool:
            found += [True, False]
        elif one is int:
            found += [7]
        elif one is float:
            found += [0.25, 1.0]
        elif one is str:
            found += ["word", "two words"]
            if int in members(kind):
                found += ["7"]  # a name that looks like a position
        elif typing.get_origin(one) is Literal:
            found += arguments
        elif typing.get_origin(one) in (list, tuple) and not structs(arguments[0]):
            inner = [sample for sample in samples(arguments[0], name) if not isinstance(sample, dict)]
            found += [inner, [*inner, *inner]]
            if str in members(arguments[0]):
                found += [["", "a, b", 'say "yes"', " padded "]]
        elif typing.get_origin(one) is dict:
            found += [{"*": "x", "age": "x"}]
    return found


def produce(qtbot: Any, editor: FieldEditor, value: Any) -> None:
    """Gives an editor a value as its user does."""
    if isinstance(editor, TextEditor):
        text = str(value)
        if isinstance(value, list):
            text = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, str) and value.isdigit():
            text = f'"{value}"'
        editor.line.setFocus()
        editor.line.selectAll()
        qtbot.keyClicks(editor.line, text)
        qtbot.keyClick(editor.line, Keys.Key_Return)
    elif isinstance(editor, ChoiceEditor):
        assert editor.box.findText(named(value)) >= 0, value
        editor.box.setCurrentText(named(value))
        editor.box.textActivated.emit(named(value))
    elif isinstance(editor, SwitchEditor):
        if editor.box.isChecked() != value:
            editor.box.click()
    else:
        raise AssertionError(f"{editor} takes no single value")


LEAVES = [
    each
    for each in settings(Experiment)
    if each[0] not in (("loss",), ("optimizer",), ("schedules",), ("model", "layers"), ("groups",))
    and each[0] != ("data", "augmentation")
]


@pytest.mark.parametrize(
    ("key", "struct", "name", "kind"),
    LEAVES,
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_every_setting_takes_every_kind_of_value(qtbot, app_alone, key, struct, name, kind):
    """What is typed or chosen is in the draft, of the same type; what the draft has is shown alike."""
    app = app_alone
    for number in [place for place, part in enumerate(key) if part == 0]:
        app.draft.set(key[:number], [{}])
    field = next(one for one in section_fields(struct) if one.key == name)
    editor = editor_of(app, key, field)
    qtbot.addWidget(editor)
    app.draft_changed.connect(editor.refresh)
    if isinstance(editor, MappingEditor):
        words = list(field.choices)
        if field.several:
            for word in words:
                editor.one.textActivated.emit(word)
                assert app.draft.get(key, field.default) == word
            editor.one.textActivated.emit(BY_COLUMN)
            assert list(app.draft.get(key)) == ["*"]
        editor.add.click()
        line, box = editor.lines[-1]
        line.setText("age")
        line.editingFinished.emit()
        box = editor.lines[-1][1]
        box.textActivated.emit(words[-1])
        assert app.draft.get(key)["age"] == words[-1]
        return
    tried = samples(kind, name)
    assert tried
    for value in tried:
        if isinstance(value, list) and isinstance(kind, type(Annotated[list[int], Meta()])) and field.several:
            value = value[:2]
        produce(qtbot, editor, value)
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        found = app.draft.get(key, default)
        assert found == value, (key, value)
        flat = lambda one: [type(part) for part in one] if isinstance(one, list) else type(one)  # noqa: E731
        assert flat(found) == flat(value), (key, value)
        again = editor_of(app, key, field)
        qtbot.addWidget(again)
        if isinstance(again, TextEditor) and app.draft.get(key) is not None:
            assert again.field.parsed(again.line.text()) == value


def test_every_entry_of_the_catalog_can_be_edited():
    """No setting of a component is left out, and those of layers are all that a layer's table may have."""
    for kind in ("layer", "block", "optimizer", "loss", "schedule", "initializer", "activation"):
        for entry in _core.catalog(kind):
            fields = [one.key for one in component_fields("layer" if kind == "block" else kind, entry.name)]
            assert fields[: len(entry.parameters)] == [one.name for one in entry.parameters]
            more = {"layer": ["name", "inputs"], "block": ["name"]}.get(kind, [])
            assert fields[len(entry.parameters) :] == more


def section(window, name):
    found = next(one for one in window.panel.sections if one.name == name)
    found.head.setChecked(True)
    return found


def at(window, key: str) -> FieldEditor:
    """The editor of a key, opened as the problems bar does."""
    found = section(window, key.split(".")[0]).editor_at(key)
    assert found is not None
    assert ".".join(map(str, found.key)) == key
    return found


def add(editor: FieldEditor, name: str) -> None:
    """Chooses something in the menu of what can be added."""
    assert isinstance(editor, ItemsEditor)
    menu = editor.add.menu()
    if menu is None:
        editor.add.click()
    else:
        next(one for one in menu.actions() if one.text() == name).trigger()


def choose(editor: FieldEditor, name: str) -> None:
    assert isinstance(editor, ComponentEditor)
    editor.box.setCurrentText(name)
    editor.box.textActivated.emit(name)


def checked(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.app.checking, timeout=TIMEOUT)


def test_a_residual_block_is_built_in_the_form(qtbot, window):
    draft = window.app.draft
    before = draft.text
    add(at(window, "model.layers"), "residual")
    at(window, "model.layers.2").open()
    at(window, "model.layers").shift(2, -1)
    assert [one if isinstance(one, str) else one["type"] for one in draft.get(("model", "layers"))] == [
        "dense", "residual", "dense",
    ]  # fmt: skip
    body = at(window, "model.layers.1.body")
    assert draft.get(("model", "layers", 1, "body")) == [SOME]
    add(body, "dense")
    produce(qtbot, at(window, "model.layers.1.body.1.units"), 100)
    add(body, "dense")
    body.shift(2, -2)
    produce(qtbot, at(window, "model.layers.1.body.0.units"), 30)
    checked(qtbot, window)
    assert window.app.check.errors == []
    assert draft.get(("model", "layers", 1)) == {
        "type": "residual", "body": [{"type": "dense", "units": 30}, SOME, {"type": "dense", "units": 100}],
    }  # fmt: skip
    assert [row.type for row in window.app.check.layers].count("add") == 1
    # A shortcut that does not fit is refused by the core, and marked where it is.
    add(at(window, "model.layers.1.shortcut"), "dense")
    checked(qtbot, window)
    assert any("model.layers.1" in problem.key for problem in window.app.check.errors)
    qtbot.waitUntil(lambda: at(window, "model.layers.1").error.isVisible(), timeout=TIMEOUT)
    at(window, "model.layers.1.shortcut").take_out(0)
    assert "shortcut" not in draft.get(("model", "layers", 1))
    after = draft.text
    while draft.text != before:
        assert draft.undo()
    while draft.redo():
        pass
    assert draft.text == after
    body = draft.get(("model", "layers", 1, "body"))
    assert [one["type"] if isinstance(one, dict) else one for one in body] == ["dense", SOME, "dense"]
    assert at(window, "model.layers.1.body.0.units").line.text() == "30"


def test_columns_are_built_in_the_form(qtbot, window):
    draft = window.app.draft
    choose(at(window, "model.layers.0"), "columns")
    columns = at(window, "model.layers.0.columns")
    add(columns, "")
    assert draft.get(("model", "layers", 0, "columns")) == [[SOME], [SOME], [SOME]]
    choose(at(window, "model.layers.0.columns.2.0"), "dense")
    columns.shift(2, -2)
    columns.take_out(2)
    produce(qtbot, at(window, "model.layers.0.columns.0.0.units"), 20)
    add(at(window, "model.layers.0.columns.1"), "residual")
    add(at(window, "model.layers.0.columns.1.1.body"), "dropout")
    join = at(window, "model.layers.0.join")
    produce(qtbot, join, "concatenate")
    checked(qtbot, window)
    assert window.app.check.errors == []
    assert draft.get(("model", "layers", 0)) == {
        "type": "columns",
        "columns": [
            [{"type": "dense", "units": 20}],
            [SOME, {"type": "residual", "body": [SOME, "dropout"]}],
        ],
    }
    assert window.app.check.layers[-2].output_shape == (84,)


def test_layers_are_moved_repeated_and_taken_out_by_keyboard(qtbot, window):
    draft = window.app.draft
    units = at(window, "model.layers.0.units")
    units.line.setFocus()
    qtbot.keyClick(units.line, Keys.Key_Insert, ALT)
    assert [one["units"] for one in draft.get(("model", "layers"))] == [100, 100, 10]
    layers = at(window, "model.layers")
    assert layers.tools[1].hasFocus()
    qtbot.keyClick(layers.tools[1], Keys.Key_Down, ALT)
    assert [one["units"] for one in draft.get(("model", "layers"))] == [100, 10, 100]
    assert layers.tools[2].hasFocus()
    qtbot.keyClick(layers.tools[2], Keys.Key_Up, ALT)
    qtbot.keyClick(layers.tools[1], Keys.Key_Delete, ALT)
    assert [one["units"] for one in draft.get(("model", "layers"))] == [100, 10]
    assert draft.undo() == "take a layer out"
    assert draft.undo() == "move a layer"


def test_groups_are_made_in_the_form(qtbot, window):
    draft = window.app.draft
    groups = at(window, "groups")
    add(groups, "")
    add(groups, "")
    produce(qtbot, at(window, "groups.0.match"), "dense_1.*")
    at(window, "groups.0.freeze").box.click()
    produce(qtbot, at(window, "groups.1.l2"), 0.5)
    assert draft.get(("groups",)) == [{"match": "dense_1.*", "freeze": True}, {"match": "*", "l2": 0.5}]
    checked(qtbot, window)
    assert window.app.check.errors == []
    produce(qtbot, at(window, "groups.1.learning_rate"), -1.0)
    qtbot.waitUntil(lambda: at(window, "groups.1.learning_rate").error.isVisible(), timeout=TIMEOUT)
    assert "0" in at(window, "groups.1.learning_rate").error.text()
    groups.take_out(1)
    groups.take_out(0)
    assert draft.get(("groups",)) is None


def test_steps_of_augmentation_are_made_in_the_form(qtbot, window):
    draft = window.app.draft
    steps = at(window, "data.augmentation")
    add(steps, "rotation")
    add(steps, "random crop")
    produce(qtbot, at(window, "data.augmentation.0.degrees"), 30.0)
    produce(qtbot, at(window, "data.augmentation.1.size"), [6, 8])
    produce(qtbot, at(window, "data.augmentation.1.border"), "edge")
    steps.shift(1, -1)
    assert draft.get(("data", "augmentation")) == [
        {"type": "random_crop", "size": [6, 8], "border": "edge"}, {"type": "rotation", "degrees": 30.0},
    ]  # fmt: skip
    produce(qtbot, at(window, "data.augmentation.1.degrees"), 300.0)
    qtbot.waitUntil(lambda: at(window, "data.augmentation.1.degrees").error.isVisible(), timeout=TIMEOUT)
    choose(at(window, "data.augmentation.1"), "horizontal_flip")
    assert draft.get(("data", "augmentation", 1)) == {"type": "horizontal_flip"}


def test_a_deep_network_stays_folded_and_is_opened_where_its_fault_is(qtbot, window):
    table = with_preset(window.app.draft.table, PRESETS[3], (8, 8, 1), 10)
    window.app.draft.set_table(table, "begin with ResNet-20")
    layers = at(window, "model.layers")
    assert not any(editor.inner for editor in layers.inner if editor.name == "residual")
    window.panel.go_to("model.layers.3.body.1.momentum")
    editor = at(window, "model.layers.3.body.1.momentum")
    assert editor.editor.isVisible()
    assert window.focusWidget() is editor.editor


def test_a_setting_of_yes_no_or_a_word(qtbot, window):
    window.app.draft.set(("data", "source"), "table")
    header = at(window, "data.table.header")
    assert header.box.currentText() == "auto"
    for text, value in (("yes", True), ("no", False), ("auto", None)):
        header.box.textActivated.emit(text)
        assert window.app.draft.get(("data", "table", "header")) is value


def test_parts_of_the_data_are_opened_where_the_experiment_says_something(qtbot, make_window):
    window = make_window()
    data = section(window, "data")
    opened = {part.field.key: part.head.isChecked() for part in data.parts}
    assert opened["split"]
    assert not opened["sampler"]
    assert not any(part.isVisible() for part in data.parts if part.field.key == "table")


@pytest.mark.parametrize("text", ["xavier_uniform", "softmax_cross_entropy"])
def test_long_names_are_not_cut(qtbot, window, text):
    for box in window.panel.findChildren(QtWidgets.QComboBox):
        if box.isVisible() and box.currentText() == text:
            width = QtGui.QFontMetrics(box.font()).horizontalAdvance(text)
            option = QtWidgets.QStyleOptionComboBox()
            box.initStyleOption(option)
            style = QtWidgets.QStyle
            room = box.style().subControlRect(
                style.ComplexControl.CC_ComboBox, option, style.SubControl.SC_ComboBoxEditField, box
            )
            assert room.width() >= width, box.accessibleName()
            break
    else:
        raise AssertionError(f"no box shows {text}")
