"""`ravine schedule`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

CYCLE = (
    "--set", "optimizer.type=momentum",
    "--set", "schedules.learning_rate.type=one_cycle",
    "--set", "schedules.learning_rate.unit=step",
    "--set", "schedules.momentum=counter_cycle",
)  # fmt: skip


def test_values_of_the_whole_run(ravine) -> None:
    answer = ravine("schedule", "digits", *CYCLE, "--json").json
    assert (answer["epochs"], answer["steps_per_epoch"], answer["steps"]) == (15, 48, 720)
    rate, momentum = answer["hyperparameters"]
    assert (rate["name"], momentum["name"]) == ("learning_rate", "momentum")
    assert rate["start"] == pytest.approx(0.1 / 25, rel=1e-12)
    assert (rate["peak"], rate["peak_step"]) == (pytest.approx(0.1, rel=1e-12), 0.3 * 720 - 1)
    assert rate["end"] == pytest.approx(0.1 / 25 / 1e4, rel=1e-9)
    assert (rate["robbins_monro"], momentum["robbins_monro"]) == ("no", None)
    assert momentum["lowest"] == 0.85
    assert len(rate["steps"]) == len(rate["values"]) == 200


def test_text_and_plot(ravine, tmp_path: Path) -> None:
    done = ravine("schedule", "digits", *CYCLE, "--plot", "curves.svg")
    assert done.code == 0
    for expected in ("15 epochs of 48 steps", "one_cycle", "counter_cycle", "0.004", "█", "conditions"):
        assert expected in done.out
    root = ElementTree.fromstring((tmp_path / "curves.svg").read_text(encoding="utf-8"))
    lines = [node for node in root if node.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in lines] == [720, 720]


def test_the_learning_rate_is_there_without_a_schedule(ravine) -> None:
    (rate,) = ravine("schedule", "digits", "--json").json["hyperparameters"]
    assert rate["schedule"]["type"] == "constant"
    assert rate["start"] == rate["end"] == 0.1


def test_robbins_monro_is_told(ravine) -> None:
    text = ravine("schedule", "digits", "--set", "schedules.learning_rate=inverse_decay").out
    assert "conditions for learning_rate: yes; the sum is infinite" in text


def test_describe_names_the_schedules(ravine) -> None:
    words = ["describe", "digits", "--batch", "8"]
    assert "schedules" not in ravine(*words).out
    assert ravine(*words, "--json").json["schedules"] == {}


def test_the_catalog_knows_schedules(ravine) -> None:
    text = ravine("catalog", "schedule", "inverse_decay").out
    assert "conditions: yes if decay > 0 and 1/2 < power <= 1" in text
    entries = ravine("catalog", "schedules", "--json").json["entries"]
    assert {entry["kind"] for entry in entries} == {"schedule"}


def test_no_data_is_needed_to_draw(ravine) -> None:
    words = ["--set", "data.source=idx", "--set", "data.train_images=none", "--set", "data.train_labels=none"]
    words += ["--set", "schedules.learning_rate=on_plateau"]
    done = ravine("schedule", "digits", *words, "--steps-per-epoch", 10)
    assert "15 epochs of 10 steps" in done.out, done
    assert "changes by what is measured" in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--set", "schedules.learning_rate=on_plateau"], "waits for the loss of validation samples"),
        (["--set", "schedules.momentum=cosine"], "schedules.momentum: gradient_descent has no such number"),
        (["--set", "schedules.learning_rat=cosine"], "did you mean 'learning_rate'?"),
        (["--set", "schedules.learning_rate.type=cosin"], "schedules.learning_rate.type: unknown schedule"),
        (["--set", "schedules=7"], "schedules: expected a table"),
        (["--set", "schedules.learning_rate=7"], "schedules.learning_rate: expected text or a table"),
        (["--plot", "a.png"], "--plot: a.png"),
        (["--plot", "nowhere/a.svg"], "nowhere/a.svg: cannot be written"),
        (["--steps-per-epoch", "0"], "--steps-per-epoch: must be at least 1"),
    ],
)
def test_bad_input(ravine, words: list[str], expected: str) -> None:
    assert expected in ravine("schedule", "digits", *words).one_line_error()
