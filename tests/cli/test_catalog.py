"""`ravine catalog`."""

from __future__ import annotations

import pytest


def test_lists_everything(ravine) -> None:
    from ravine import _core

    listed = [(entry["kind"], entry["name"]) for entry in ravine("catalog", "--json").json["entries"]]
    assert listed == [(entry.kind, entry.name) for entry in _core.catalog()]
    assert ("optimizer", "adam") in listed


def test_one_entry_shows_settings_ranges_formula_and_reference(ravine) -> None:
    text = ravine("catalog", "optimizer", "adam").out
    for expected in ("beta1", "0.999", "from 0 and below 1", "theta <- theta", "Kingma"):
        assert expected in text
    assert "initial_step" not in text


def test_one_entry_shows_its_theory(ravine) -> None:
    text = " ".join(ravine("catalog", "rmsprop").out.split())
    for expected in (
        "without it Adagrad's steps die out",
        "lectures L0 'RMSprop'; L1 'RMSprop'; L2 'RMS Prop'",
        "erratum L3's update drops the factor g",
        ">>> ravine.lab.descend(",
    ):
        assert expected in text
    (entry,) = ravine("catalog", "regularization", "l1", "--json").json["entries"]
    assert entry["family"] == "regularization"
    assert "lambda/2" in entry["erratum"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lsuv", ["calibration lsuv", "Mishkin", "calibrate", "tolerance", "above 0", ">>> "]),
        (
            "residual",
            ["block residual", "K. He et al.", "L4 'Vanishing Gradients'", "y = x + f(x)", "shortcut"],
        ),
        (
            "columns",
            ["block columns", "Krizhevsky", "L3 'Model parallelism'", "concatenate or add", "layers"],
        ),
    ],
)
def test_what_is_no_component_answers_too(ravine, name: str, expected: list[str]) -> None:
    text = " ".join(ravine("catalog", name).out.split())
    assert [words for words in expected if words not in text] == []


def test_a_number_that_a_name_may_stand_for_lists_both(ravine) -> None:
    text = " ".join(ravine("catalog", "xavier_normal").out.split())
    assert "above 0 or identity or sigmoid or tanh or relu or leaky_relu or selu" in text
    assert "lecture L1 has 4 for sigmoid" in text


@pytest.mark.parametrize("words", [["optimizers"], ["optimizer"]])
def test_a_kind(ravine, words: list[str]) -> None:
    entries = ravine("catalog", *words, "--json").json["entries"]
    assert {entry["kind"] for entry in entries} == {"optimizer"}


def test_a_name_alone(ravine) -> None:
    (entry,) = ravine("catalog", "nesterov", "--json").json["entries"]
    assert entry["kind"] == "optimizer"
    rate = next(each for each in entry["parameters"] if each["name"] == "momentum")
    assert (rate["default"], rate["maximum"], rate["maximum_included"]) == (0.9, 1.0, False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optimzer"], "did you mean 'optimizer'?"),
        (["optimizer", "adm"], "did you mean 'adam'?"),
        (["zzzzzz"], "unknown kind or entry 'zzzzzz'; expected one of layer"),
        (["layer", "zzzzzz"], "expected one of dense"),
    ],
)
def test_unknown_names(ravine, words: list[str], expected: str) -> None:
    assert expected in ravine("catalog", *words).one_line_error()
