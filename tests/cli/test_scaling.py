"""`ravine scaling`."""

from __future__ import annotations

import pytest


def test_a_forecast_of_a_given_step(ravine) -> None:
    words = ["--step", "32us", "--ranks", "4,1", "--latency", "0us", "--bandwidth", "1000000Gbit"]
    found = ravine("scaling", "digits", *words, "--json").json
    assert found["parameters"] == 7510
    assert found["measured"] == []
    assert [row["ranks"] for row in found["strong"]] == [1, 4]
    one, four = found["strong"]
    assert one["seconds"] == pytest.approx(32e-6)
    assert four["seconds"] == pytest.approx(8e-6, rel=1e-3)
    assert four["rows"] == 8
    assert [row["seconds"] for row in found["weak"]] == pytest.approx([32e-6] * 2, rel=1e-3)
    assert "4 ranks train 4.0 times as fast as one" in found["recommendation"]


def test_settings_of_the_experiment_count(ravine) -> None:
    words = ["scaling", "digits", "--step", "1ms", "--ranks", "2", "--bandwidth", "1Mbit", "--latency", "0"]
    plain, rounded = (
        ravine(*words, *settings, "--json").json["strong"][0]["communicate"]
        for settings in ([], ["--set", "parallel.transport=bfloat16"])
    )
    assert plain == pytest.approx(7510 * 4 * 8 / 1e6)  # between two, each sends as much as all gradients
    assert rounded == pytest.approx(plain / 2)
    error = ravine(*words, "--set", "parallel.model=4").one_line_error()
    assert error == "--ranks: 2 is no multiple of parallel.model, 4"


def test_a_forecast_of_this_machine(ravine) -> None:
    found = ravine("scaling", "digits", "--measure", "--json").json
    assert [size for size, _ in found["measured"]] == [32, 16, 8, 4, 2, 1]
    assert all(seconds > 0 for _, seconds in found["measured"])
    assert found["compute"]["fixed"] + 32 * found["compute"]["by_row"] > 0
    text = ravine("scaling", "digits", "--spread", "5%", "--batch", "64").out
    for expected in ("7,510 parameters", "strong scaling", "weak scaling", "efficiency", "recommendation: "):
        assert expected in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--ranks", "0"], "--ranks: expected numbers from 1 to 1,048,576, such as 8,64,1024; got '0'"),
        (["--ranks", "8;9"], "--ranks: expected numbers"),
        (
            ["--latency", "5 h"],
            "--latency: expected a number and one of s, ms, us, ns, such as 50us; got '5 h'",
        ),
        (["--bandwidth", "0"], "--bandwidth: must be more than 0"),
        (["--bandwidth", "1e400"], "--bandwidth: expected a number"),
        (["--spread", "120%"], "--spread: expected a share from 0 to 1, such as 0.05 or 5%; got '120%'"),
        (["--batch", "0"], "--batch: must be at least 1"),
        (["--step", "1ms", "--measure"], "--step: takes the place of measuring; leave --measure out"),
    ],
)
def test_what_cannot_be_is_refused(ravine, words, expected) -> None:
    assert ravine("scaling", "digits", *words).one_line_error().startswith(expected)
