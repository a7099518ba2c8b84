"""`ravine ranks`, on runs whose times are made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravine.runs import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of four ranks that went on with two: rank 1 computes for 30 ms, rank 0 for 20."""
    folder = RunFolder.create(tmp_path / "runs", "two")
    first = np.full((4, 4, 4), 7.0, np.float32)
    second = np.array([[[0.020, 0.016, 0.008, 0.004], [0.030, 0.006, 0.008, 0.004]]] * 10, np.float32)
    with folder.writer(["loss"]) as writer:
        writer.record_rank_times(np.arange(1, 5), first)
        writer.record_rank_times(np.arange(5, 15), second)
        writer.set_meta(hosts=["anna", "bert"])
    return folder


def test_means_of_a_step(ravine, run):
    done = ravine("ranks", "two")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "10 recorded steps, 5 to 14; means of a step:",
        "rank  host    compute       wait  communicate  overlapped  share",
        "----  ----  ---------  ---------  -----------  ----------  -----",
        "   0  anna  20.000 ms  16.000 ms     8.000 ms    4.000 ms   50 %",
        "   1  bert  30.000 ms   6.000 ms     8.000 ms    4.000 ms   75 %",
        "rank 1 on bert is the slowest: the others wait 25 % of each step for it",
    ]


def test_as_json(ravine, run):
    found = ravine("ranks", "two", "--last", "3", "--json").json
    assert found["steps"] == 3
    assert [one["host"] for one in found["ranks"]] == ["anna", "bert"]
    assert found["ranks"][1]["compute"] == pytest.approx(0.03)
    assert found["straggler"]["rank"] == 1
    assert found["straggler"]["cost"] == pytest.approx(0.25, abs=1e-5)


def test_a_run_of_one_rank(there):
    done = there("ranks", "digits")
    assert (done.code, done.out) == (
        0,
        "digits was trained by one rank, or nothing was recorded of its steps\n",
    )


def test_bad_input(ravine, run):
    assert ravine("ranks", "tow").one_line_error().startswith("runs/tow: no such run folder")
    assert ravine("ranks", "two", "--last", "-1").one_line_error() == "--last: is -1; expected at least 1"
