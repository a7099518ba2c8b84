"""What is recommended: checked against a search by brute force, and in cases whose answer is plain."""

from __future__ import annotations

import math

import pytest

from ravine.distributed.collectives import Link
from ravine.distributed.forecast import forecast, recommendation
from ravine.distributed.scaling import Choice, Compute, Layer, Machine, Phase, Workload, step


def workload(parameters: int, by_row: float = 1e-4) -> Workload:
    """Most parameters in the second layer, most work in the first, whose gradient comes last."""
    layers = {
        "a": Layer(100, 4000, 1000, False, True),
        "b": Layer(4000, 10, parameters - 1000, True, False),
    }
    phases = (
        Phase({"a": 0.3, "b": 0.05}),
        Phase({"b": 0.05}, True, ("b",)),
        Phase({"a": 0.6}, True, ("a",)),
    )
    return Workload(Compute(0.0, by_row), phases, layers)


RANKS = (2, 4, 8, 64)


def test_an_ideal_network_scales_ideally() -> None:
    machine = Machine(Link(0.0, math.inf))
    for strong in (True, False):
        for row in forecast(workload(10**6), machine, RANKS, 640, Choice(), strong):
            assert row.efficiency == pytest.approx(1)
            assert row.rows * row.ranks == row.samples if strong else row.rows == 640
    said = recommendation(forecast(workload(10**6), machine, RANKS, 640, Choice(), True), Choice())
    assert said == "64 ranks train 64.0 times as fast as one (100% each)"


def test_rows_that_do_not_divide_wait_for_the_rank_with_most() -> None:
    machine = Machine(Link(0.0, math.inf))
    (row,) = forecast(workload(10**6), machine, [64], 100, Choice(), True)
    assert row.rows == 2
    assert row.speed_up == pytest.approx(50)


def test_a_slow_network_is_left_alone() -> None:
    machine = Machine(Link(1e-3, 1e5))
    rows = forecast(workload(10**7), machine, RANKS, 64, Choice(), True)
    assert recommendation(rows, Choice()) == (
        "one rank is the fastest: sums take longer than more ranks save, unless batches are larger"
    )


def test_smaller_buckets_are_found_where_they_hide_the_sums() -> None:
    machine = Machine(Link(1e-5, 1e9))
    rows = forecast(workload(2_000_000), machine, [8], 2048, Choice(), True)
    settings, best = rows[0].best
    tried = {
        size: step(workload(2_000_000), machine, 8, 256, Choice(bucket_bytes=size)).seconds
        for size in (1e6, 5e6, 25e6, 100e6)
    }
    assert best.seconds == pytest.approx(min(tried.values()))
    assert settings.bucket_bytes == min(tried, key=lambda size: tried[size])
    assert "with bucket_megabytes = 1" in recommendation(rows, Choice())


def test_what_changes_the_learning_is_said_to() -> None:
    machine = Machine(Link(1e-5, 1e9))
    rows = forecast(workload(20_000_000, by_row=1e-3), machine, [8], 1024, Choice(), True)
    said = recommendation(rows, Choice())
    assert 'transport = "bfloat16", which rounds gradients' in said
    assert "which is another algorithm" in said
    asked = Choice(transport="bfloat16", average_every=4)
    said = recommendation(forecast(workload(20_000_000, 1e-3), machine, [8], 1024, asked, True), asked)
    assert "bfloat16" not in said
    assert "algorithm" not in said
