"""The draft: what forms and the text do to the same experiment."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.errors import InputError
from ravine.gui.state.check import Checker
from ravine.gui.state.draft import Draft, differences, experiment_text, starter
from ravine.gui.state.fields import (
    SECTIONS,
    component_fields,
    component_names,
    section_fields,
    section_struct,
)
from ravine.gui.state.preferences import Preferences, load_preferences, save_preferences
from ravine.settings import TrainingSettings

KEYS = st.sampled_from(
    [("optimizer", "learning_rate"), ("training", "epochs"), ("model", "layers", 0, "units"), ("seed",)]
)


@given(st.lists(st.tuples(KEYS, st.integers(0, 3)), max_size=12), st.data())
def test_undo_and_redo_go_through_every_state(edits, data):
    draft = Draft(starter())
    states = [draft.text]
    for key, value in edits:
        draft.end_burst()
        before = draft.text
        draft.set(key, value)
        if draft.text != before:
            states.append(draft.text)
    for text in reversed(states[:-1]):
        draft.undo()
        assert draft.text == text
    assert draft.undo() == ""
    for text in states[1:]:
        draft.redo()
        assert draft.text == text
        assert tomllib.loads(text) == draft.table
    assert draft.redo() == ""


def test_edits_of_one_field_in_a_row_are_one_step():
    draft = Draft(starter())
    for text in ("0", "0.", "0.05"):
        draft.set(("optimizer", "learning_rate"), text)
    draft.undo()
    assert draft.get(("optimizer", "learning_rate")) == 0.1


def test_a_text_that_is_no_toml_keeps_the_table():
    draft = Draft(starter())
    table = draft.table
    draft.set_text(draft.text + "\n[oops")
    assert "is not TOML" in draft.error
    assert draft.table == table
    draft.undo()
    assert draft.error == ""


def test_reset_forgets_empty_tables():
    draft = Draft('optimizer = "adam"')
    draft.set(("regularization", "l2"), 0.1)
    draft.remove(("regularization", "l2"))
    assert draft.table == {"optimizer": "adam"}
    draft.remove(("model", "layers", 3))
    assert draft.table == {"optimizer": "adam"}


def test_differences_name_keys():
    other = {"training": {"epochs": 3, "batch_size": 1}}
    assert differences({"training": {"epochs": 3}}, other) == [("training.batch_size", None, 1)]
    assert differences({"a": 1}, {"a": 1.0}) == [("a", 1, 1.0)]


def test_the_starter_can_be_trained():
    draft = Draft(starter())
    check = Checker().check(draft.table, Path())
    assert check.problems == ()
    assert check.parameters == 64 * 100 + 100 + 100 * 10 + 10
    assert [layer.output_shape for layer in check.layers] == [(100,), (10,)]
    assert check.steps == 40
    assert check.memory.parameters == check.memory.gradients == 4 * check.parameters
    assert check.memory.total > 8 * check.parameters
    assert [curve.name for curve in check.schedules] == ["learning_rate"]


def test_the_first_fault_of_every_part_is_found():
    draft = Draft(starter())
    draft.set(("optimizer", "learning_rate"), "abc")
    draft.set(("model", "layers", 0, "units"), -3)
    draft.set(("training", "epocs"), 3)
    found = {problem.key: problem.message for problem in Checker().check(draft.table, Path()).problems}
    assert set(found) == {"optimizer.learning_rate", "model.layers.0.units", "training.epocs"}
    assert "at least 0" in found["optimizer.learning_rate"]
    assert "did you mean 'epochs'?" in found["training.epocs"]


@pytest.mark.parametrize(
    ("key", "value", "where", "words"),
    [
        (("model", "layers", 1, "units"), 3, "", "set its units to 10"),
        (("loss",), "squared_error", "", "class labels"),
        (("data", "source"), "npz", "data", "needs `file`"),
        (("training", "batch_size"), 0, "training.batch_size", ">= 1"),
        (("model", "layers", 0), {"type": "convolution", "units": 3, "kernel": 3}, "model", "shape"),
    ],
)
def test_what_does_not_fit_is_said_by_the_core(key, value, where, words):
    draft = Draft(starter())
    draft.set(key, value)
    problems = Checker().check(draft.table, Path()).problems
    assert any(words in str(problem) for problem in problems), problems
    assert any(problem.key.startswith(where) for problem in problems)


def test_warnings_do_not_stop_anyone():
    draft = Draft(starter())
    draft.set(("optimizer",), {"type": "rprop"})
    check = Checker().check(draft.table, Path())
    assert check.errors == []
    assert [problem.level for problem in check.problems] == ["warning"]


def test_every_setting_has_a_field_with_its_meaning():
    for name in SECTIONS:
        struct = section_struct(name)
        for field in section_fields(struct) if struct else ():
            assert field.help, (name, field.key)
    for kind in ("layer", "optimizer", "loss", "schedule", "initializer", "activation"):
        for name in component_names(kind):
            assert all(field.help for field in component_fields(kind, name))


def test_values_survive_being_shown_and_parsed():
    for field in (*section_fields(TrainingSettings), *component_fields("optimizer", "adam")):
        if field.kind in ("integer", "real") and field.default is not None:
            assert field.parsed(field.written(field.default)) == field.default


def test_an_experiment_of_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("nothing = 1\n")
    with pytest.raises(InputError, match="unknown key"):
        experiment_text(path)
    text, folder = experiment_text("digits")
    assert "gradient_descent" in text
    assert (folder / "digits.toml").is_file()


def test_preferences_survive_damage(tmp_path):
    path = tmp_path / "app.json"
    assert load_preferences(path) == Preferences()
    wanted = Preferences(theme="dark", span=7, log_y=["loss"])
    wanted.remember(Path("/a"))
    wanted.remember(Path("/b"))
    wanted.remember(Path("/a"))
    assert wanted.recent == ["/a", "/b"]
    assert save_preferences(wanted, path) == ""
    assert load_preferences(path) == wanted
    for damage in (b"", b"{", b'{"theme": 3}', b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(damage)
        assert load_preferences(path) == Preferences()
    (tmp_path / "folder").mkdir()
    assert "cannot be written" in save_preferences(wanted, tmp_path / "folder")
