"""`ravine layers`: what a run last recorded of its layers."""

from __future__ import annotations

from pathlib import Path

QUICK = ("--set", "training.epochs=2", "--quiet")
FULL = ("--set", "statistics.level=full", "--set", "statistics.full_every=40")


def test_shows_moments_norms_and_percentiles(ravine) -> None:
    assert ravine("train", "digits", *QUICK, *FULL).code == 0
    done = ravine("layers", "digits")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["digits,", "step", "96"] in lines
    (dense,) = [line for line in lines if line[:1] == ["dense_1"] and len(line) == 7]
    assert all(float(value) >= -1 for value in dense[1:])
    kinds = {(line[0], line[1]) for line in lines if len(line) == 2 + 9 and line[0][0] == "d"}
    assert kinds == {
        ("dense_1", "output"), ("dense_2", "output"),
        *((f"dense_{layer}.{part}", kind) for layer in "12" for part in ("weight", "bias")
          for kind in ("weight", "gradient")),
    }  # fmt: skip
    assert "step 80, percentiles" in done.out
    assert "% of a step" in done.out

    answer = ravine("layers", "digits", "--percentiles", "15,50,85", "--json").json
    assert (answer["step"], answer["statistics_cost"]["passes"] >= 1) == (96, True)
    assert set(answer["layers"]) == {"dense_1", "dense_2"}
    output = answer["distributions"][0]
    assert (output["step"], output["name"], output["kind"], output["count"]) == (
        80, "dense_1", "output", 3200,
    )  # fmt: skip
    assert set(output["percentiles"]) == {"15", "50", "85"}
    values = [output["minimum"], *output["percentiles"].values(), output["maximum"]]
    assert values == sorted(values)
    assert -1 <= values[0] < values[-1] <= 1  # of tanh


def test_says_how_to_get_what_is_not_there(ravine) -> None:
    assert ravine("train", "digits", *QUICK).code == 0
    done = ravine("layers", "digits")
    assert "--set statistics.level=full" in done.out
    assert "dense_2" in done.out
    assert ravine("layers", "digits", "--json").json["distributions"] == []
    assert ravine("train", "digits", *QUICK, "--set", "statistics.level=off", "--name", "bare").code == 0
    done = ravine("layers", "bare")
    assert (done.code, "nothing of its layers was recorded" in done.out) == (0, True)


def test_bad_input_is_one_line(ravine, tmp_path: Path) -> None:
    assert "no such run folder" in ravine("layers", "nothing").one_line_error()
    assert ravine("train", "digits", *QUICK).code == 0
    for given in ("a", "101", "-1", "5,,7", "nan"):
        assert "0 to 100" in ravine("layers", "digits", f"--percentiles={given}").one_line_error()
