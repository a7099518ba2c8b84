"""Edits by form keep the comments of a file, and say what the draft says."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.errors import InputError
from ravine.gui.state.draft import Draft
from ravine.gui.state.toml_text import edited

TEXT = """\
# The digits, by hand.
name = "mine"  # of the folder
seed = 3
optimizer = "adam"  # adapts

# ---- data ----
[data]
source = "digits"   # shipped
preprocessing = "standardize"
augmentation = [
  # first a turn
  { type = "rotation", degrees = 10.0 },  # not too far
  { type = "horizontal_flip" },
]

[data.split]  # by chance
validation_fraction = 0.15
seed = 37  # never change this

[model]
# two hidden layers
layers = [
  { type = "dense", units = 100, activation = "tanh" },  # wide
  "dropout",  # half of them
  # the block
  { type = "residual", body = [ "relu", { type = "dense", units = 100 } ] },
  { type = "dense", units = 10 },  # one a class
]

[[groups]]  # the head
match = "dense_2.*"
learning_rate = 0.5  # slower

# no decay for biases
[[groups]]
match = "*.bias"
l2 = 0.0

[training]
epochs = 20  # enough
# batch_size = 64
batch_size = 32
# the end
"""
COMMENTS = re.findall(r"#.*", TEXT)


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("name",), "yours"),
        (("seed",), 4),
        (("optimizer", "learning_rate"), 0.01),
        (("data", "split", "validation_fraction"), 0.2),
        (("data", "split", "stratify"), True),
        (("data", "classes"), 10),
        (("data", "sampler", "type"), "mixed"),
        (("data", "augmentation", 0, "degrees"), 20.0),
        (("data", "augmentation", 1, "probability"), 0.25),
        (("model", "layers", 0, "units"), 50),
        (("model", "layers", 1, "rate"), 0.25),
        (("model", "layers", 2, "body", 1, "units"), 7),
        (("model", "layers", 3), "softmax"),
        (("model", "calibrate"), True),
        (("groups", 1, "l2"), 0.1),
        (("groups", 0, "freeze"), True),
        (("training", "epochs"), "many"),
        (("training", "batch_size"), "all"),
        (("regularization", "l2"), 0.001),
        (("statistics", "level"), "full"),
        (("schedules", "learning_rate"), {"type": "cosine", "warmup": 2.0}),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_all_comments_stay_where_a_value_changes(key, value):
    draft = Draft(TEXT)
    draft.set(key, value)
    assert draft.get(key) == value
    assert tomllib.loads(draft.text) == draft.table
    assert comments(draft.text) == COMMENTS
    draft.undo()
    assert draft.text == TEXT


def test_lines_that_are_not_edited_stay_as_they_were():
    draft = Draft(TEXT)
    draft.set(("model", "layers", 0, "units"), 50)
    before, after = TEXT.splitlines(), draft.text.splitlines()
    assert [one for one in before if one not in after] == [before[22]]
    assert '{ type = "dense", units = 50, activation = "tanh" },  # wide' in draft.text


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        (("seed",), []),
        (("name",), ["# of the folder"]),
        (("data", "split", "seed"), ["# never change this"]),
        (("training", "epochs"), ["# enough"]),
        (("groups", 0, "learning_rate"), ["# slower"]),
        (("data", "preprocessing"), []),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_a_removal_takes_its_own_comment_alone(key, gone):
    draft = Draft(TEXT)
    draft.remove(key)
    assert draft.get(key) is None
    assert tomllib.loads(draft.text) == draft.table
    assert comments(draft.text) == [one for one in COMMENTS if one not in gone]


def changed(draft: Draft, key: tuple[Any, ...], change: Any) -> None:
    items = copy.deepcopy(draft.get(key))
    change(items)
    draft.set(key, items)
    assert draft.get(key) == items
    assert tomllib.loads(draft.text) == draft.table


def test_layers_that_are_added_and_taken_out_leave_the_comments_of_others():
    draft = Draft(TEXT)
    changed(draft, ("model", "layers"), lambda items: items.append({"type": "dense", "units": 10}))
    assert comments(draft.text) == COMMENTS
    changed(draft, ("model", "layers"), lambda items: items.insert(0, "flatten"))
    assert comments(draft.text) == COMMENTS
    changed(draft, ("model", "layers"), lambda items: items.insert(3, {"type": "dense", "units": 5}))
    assert comments(draft.text) == COMMENTS
    changed(draft, ("model", "layers"), lambda items: items.pop(1))
    assert set(COMMENTS) - {*comments(draft.text)} <= {"# wide"}
    changed(draft, ("groups",), lambda items: items.append({"match": "*", "freeze": True}))
    changed(draft, ("groups",), lambda items: items.pop(1))
    changed(draft, ("data", "augmentation"), lambda items: items.insert(1, {"type": "cutout"}))
    assert {"# the head", "# slower", "# first a turn", "# the end"} <= {*comments(draft.text)}


LAYER = st.one_of(
    st.sampled_from(["relu", "flatten"]),
    st.fixed_dictionaries({"type": st.just("dense"), "units": st.integers(1, 9)}),
    st.just({"type": "residual", "body": ["relu", {"type": "dense", "units": 3}]}),
)
TABLE = st.dictionaries(st.sampled_from(["seed", "match", "epochs"]), st.integers(0, 3), min_size=1)
VALUE = st.one_of(
    st.integers(-5, 5), st.floats(-2, 2), st.booleans(), st.text(max_size=4), TABLE,
    st.lists(LAYER, max_size=4), st.lists(st.integers(0, 3), max_size=3),
)  # fmt: skip
KEYS = [
    ("name",), ("optimizer",), ("loss",), ("optimizer", "learning_rate"), ("data", "split", "seed"),
    ("data", "sampler", "type"), ("data", "augmentation"), ("data", "limit"), ("model", "layers"),
    ("model", "layers", 0), ("model", "layers", 0, "units"), ("model", "calibrate"), ("groups", 0, "match"),
    ("training", "epochs"), ("regularization", "l2"), ("schedules", "learning_rate", "type"),
]  # fmt: skip
EDIT = st.one_of(
    st.tuples(st.sampled_from(KEYS), st.none() | VALUE),
    st.tuples(st.sampled_from([("data", "split"), ("training",), ("groups", 0), ("groups", 1)]), TABLE),
    st.tuples(st.just(("groups",)), st.none() | st.lists(TABLE, min_size=1, max_size=4)),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(EDIT, max_size=6))
def test_whatever_is_edited_the_text_says_what_the_draft_says(edits):
    draft = Draft(TEXT)
    for key, value in edits:
        try:
            draft.remove(key) if value is None else draft.set(key, value)
        except (TypeError, IndexError, InputError):  # no place of that name by now
            continue
        assert tomllib.loads(draft.text) == draft.table
        assert "# The digits, by hand." in draft.text


def test_every_shipped_experiment_can_be_edited(tmp_path):
    for path in sorted((Path(__file__).parents[2] / "examples").glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        draft = Draft(text)
        draft.set(("training", "epochs"), 77)
        draft.set(("seed",), 9)
        assert tomllib.loads(draft.text) == draft.table
        assert comments(draft.text) == comments(text), path.name


def test_what_cannot_be_kept_costs_the_comments_and_never_the_edit(monkeypatch):
    import tomlkit

    def fail(text: str) -> None:
        raise IndexError(text)

    monkeypatch.setattr(tomlkit, "parse", fail)
    assert tomllib.loads(edited(TEXT, {"a": {"b": [1]}})) == {"a": {"b": [1]}}


def test_values_keep_their_types():
    draft = Draft("a = 1  # one\n[b]\nc = true\n")
    draft.set(("a",), 1.0)
    assert type(tomllib.loads(draft.text)["a"]) is float
    draft.set(("b", "c"), 1)
    assert tomllib.loads(draft.text)["b"]["c"] is not True
    assert draft.text.startswith("a = 1.0  # one")
