"""The model of a step on many ranks: numbers computed by hand, and limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ravine import Sequential
from ravine.distributed.collectives import Link, gather_seconds, sum_seconds
from ravine.distributed.scaling import (
    Choice,
    Compute,
    Layer,
    Machine,
    Phase,
    Workload,
    buckets,
    fitted_compute,
    slowest,
    step,
    workload_of,
)
from ravine.layers import Convolution, Dense, Flatten

# Gradients of 1 MB (a) and 2 MB (b); 4 ms forward, 4 back through b, 2 through a, 1 of update.
COMPUTE = Compute(fixed=0.001, by_row=1e-4)
WORKLOAD = Workload(
    COMPUTE,
    (
        Phase({"a": 0.2, "b": 0.2}),
        Phase({"b": 0.4}, True, ("b",)),
        Phase({"a": 0.2}, True, ("a",)),
    ),
    {
        "a": Layer(inputs=1000, outputs=500, parameters=250_000, splits=True, first=True),
        "b": Layer(inputs=500, outputs=1000, parameters=500_000, splits=True, first=False),
    },
)
LINK = Link(latency=1e-4, bandwidth=1e9)
MACHINE = Machine(LINK, meetings=0)
NO_TIME = Machine(Link(0.0, math.inf))


def test_one_rank_takes_the_time_of_one() -> None:
    for choice in (Choice(), Choice(overlap=False), Choice(average_every=4), Choice(transport="bfloat16")):
        found = step(WORKLOAD, MACHINE, 1, 100, choice)
        assert found.seconds == pytest.approx(0.011)
        assert found.communicate == 0


def test_a_network_that_takes_no_time_gives_ideal_steps() -> None:
    for ranks, rows in ((2, 50), (4, 25), (1024, 100)):
        for choice in (Choice(), Choice(overlap=False), Choice(bucket_bytes=1e3), Choice(average_every=3)):
            assert step(WORKLOAD, NO_TIME, ranks, rows, choice).seconds == pytest.approx(
                COMPUTE.seconds(rows)
            )
    # Two ranks of a group: half of the rows' time.
    split = step(WORKLOAD, NO_TIME, 2, 100, Choice(model=2))
    assert split.seconds == pytest.approx(0.006)


def test_what_is_hidden_and_what_is_not() -> None:
    ranks, rows = 4, 100
    whole, first, second = (sum_seconds(ranks, size, LINK) for size in (3e6, 2e6, 1e6))
    assert second == pytest.approx(4e-4 + 1.5e-3)
    # Without overlap, or in one bucket, which is complete at the end of the backward pass.
    for choice in (Choice(overlap=False), Choice()):
        found = step(WORKLOAD, MACHINE, ranks, rows, choice)
        assert found.communicate == pytest.approx(whole)
        assert found.seconds == pytest.approx(0.011 + whole)
    found = step(WORKLOAD, MACHINE, ranks, rows, Choice(overlap=False, bucket_bytes=2e6))
    assert found.seconds == pytest.approx(0.011 + first + second)
    # A bucket a layer: that of b begins at 8 ms and ends at 11.4, after the backward pass; then that of a.
    buckets = replace(Choice(), bucket_bytes=2e6)
    found = step(WORKLOAD, MACHINE, ranks, rows, buckets)
    assert found.communicate == pytest.approx(first + second)
    assert found.exposed == pytest.approx(0.008 + first + second - 0.010)
    # On a slower processor b's sum ends before a's gradient is complete: only a's is left.
    found = step(WORKLOAD, MACHINE, ranks, 3 * rows, buckets)
    assert found.exposed == pytest.approx(second)
    # Half of the bytes.
    found = step(WORKLOAD, MACHINE, ranks, rows, Choice(transport="bfloat16"))
    assert found.communicate == pytest.approx(sum_seconds(ranks, 1.5e6, LINK))
    # All weights, every fourth step, with nothing to hide behind.
    found = step(WORKLOAD, MACHINE, ranks, rows, Choice(average_every=4, transport="bfloat16"))
    assert found.seconds == pytest.approx(0.011 + whole / 4)
    found = step(replace(WORKLOAD, slots=2), MACHINE, ranks, rows, Choice(average_every=4))
    assert found.seconds == pytest.approx(0.011 + sum_seconds(ranks, 9e6, LINK) / 4)


def test_a_group_that_divides_layers() -> None:
    rows = 100
    fast = Machine(Link(1e-6, 1e11), meetings=0)
    found = step(WORKLOAD, fast, 2, rows, Choice(model=2))
    # Outputs of a and b go forward; the gradient of b's input comes back, that of the data is not computed.
    talk = (
        gather_seconds(2, rows * 500 * 4, fast.link)
        + gather_seconds(2, rows * 1000 * 4, fast.link)
        + sum_seconds(2, rows * 500 * 4, fast.link)
    )
    assert found.communicate == pytest.approx(talk)
    assert found.seconds == pytest.approx(0.006 + talk)
    # Two groups of two: each rank sums the gradients of its half with one other.
    found = step(WORKLOAD, fast, 4, rows, Choice(model=2))
    assert found.communicate == pytest.approx(talk + sum_seconds(2, 1.5e6, fast.link))
    # Where talking costs more than it saves nothing is divided: both do the same.
    slow = Machine(Link(1.0, 1e3), meetings=0)
    assert step(WORKLOAD, slow, 2, rows, Choice(model=2)).seconds == pytest.approx(0.011)


def test_all_wait_for_the_slowest() -> None:
    late = replace(NO_TIME, spread=0.1)
    assert step(WORKLOAD, late, 1, 100).seconds == pytest.approx(0.011)
    for ranks in (2, 8, 64):
        assert step(WORKLOAD, late, ranks, 100).seconds == pytest.approx(0.011 * (1 + 0.1 * slowest(ranks)))
        drawn = np.random.default_rng(0).standard_normal((20_000, ranks)).max(1).mean()
        assert slowest(ranks) == pytest.approx(drawn, abs=0.02)


def test_sums_take_a_share_of_the_processors() -> None:
    busy = replace(MACHINE, contention=0.5)
    choice = Choice(bucket_bytes=2e6)
    plain, slowed = (step(WORKLOAD, machine, 4, 300, choice) for machine in (MACHINE, busy))
    assert slowed.seconds - plain.seconds == pytest.approx(0.5 * sum_seconds(4, 2e6, LINK))


def test_ranks_meet_once_a_step() -> None:
    for choice in (Choice(), Choice(model=2), Choice(average_every=4)):
        silent, met = (step(WORKLOAD, Machine(LINK, meetings=count), 8, 100, choice) for count in (0, 1))
        assert met.seconds - silent.seconds == pytest.approx(3 * LINK.latency)
        assert met.compute == pytest.approx(silent.compute)


def test_buckets_are_slices_in_the_order_of_the_backward_pass() -> None:
    ready = [(1.0, 30.0), (2.0, 80.0), (3.0, 10.0)]
    assert buckets(ready, 50) == [(2.0, 50), (2.0, 50), (3.0, 20)]
    assert buckets(ready, 1e9) == [(3.0, 120)]
    assert sum(size for _, size in buckets(ready, 7)) == pytest.approx(120)
    assert buckets([], 50) == []


def test_compute_is_found_again_from_times() -> None:
    found = fitted_compute([8, 32, 128], [COMPUTE.seconds(rows) for rows in (8, 32, 128)])
    assert found.fixed == pytest.approx(COMPUTE.fixed)
    assert found.by_row == pytest.approx(COMPUTE.by_row)
    assert fitted_compute([8, 128], [2e-3, 1e-3]).by_row >= 0


def test_a_plan_becomes_a_workload() -> None:
    network = Sequential(
        Convolution(8, kernel=3, activation="relu"), Flatten(), Dense(50, "relu"), Dense(10)
    ).network((12, 12, 1), loss="softmax_cross_entropy", batch_size=16, threads=1)
    plan = network.describe("training", 16)
    workload = workload_of(plan["operations"], network.layers, COMPUTE)
    assert workload.parameters == plan["parameters"] == network.flat_parameters.size
    assert sum(share for phase in workload.phases for share in phase.shares.values()) == pytest.approx(1)
    complete = [name for phase in workload.phases for name in phase.complete]
    assert sorted(complete) == ["convolution_1", "dense_1", "dense_2"]
    assert all(phase.backward for phase in workload.phases if phase.complete)
    assert [layer.first for layer in workload.layers.values()] == [True, False, False, False]
    assert workload.layers["dense_1"] == Layer(800, 50, 800 * 50 + 50, True, False)
    assert step(workload, NO_TIME, 4, 16).seconds == pytest.approx(COMPUTE.seconds(16))
