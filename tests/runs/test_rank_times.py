"""Means of ranks, and the rank that the others wait for, against figures made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.runs.rank_times import Straggler, straggler, summarize


def steps(compute: list[float], step: float = 1.0, communicate: float = 0.0, count: int = 5) -> np.ndarray:
    """Steps of equal length, in which each rank waits when it does not work; they vary, not their means."""
    rows = [[c, step - c - communicate / 2, communicate, communicate / 2] for c in compute]
    factors = np.linspace(0.5, 1.5, count)[:, None, None]
    return (np.array(rows) * factors).astype(np.float32)


def test_means_and_shares():
    found = summarize(steps([0.5, 0.75], communicate=0.125))
    assert [one.rank for one in found] == [0, 1]
    np.testing.assert_allclose(
        [(one.compute, one.wait, one.communicate, one.overlapped, one.share) for one in found],
        [(0.5, 0.4375, 0.125, 0.0625, 0.5), (0.75, 0.1875, 0.125, 0.0625, 0.75)],
        rtol=1e-6,
    )
    assert summarize(np.zeros((0, 2, 4), np.float32))[1].share == 0


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        ([0.9], None),
        ([0.9, 0.9], None),
        ([0.71, 0.9], None),  # 19 %
        ([0.9, 0.69], Straggler(0, 0.21)),
        ([0.5, 0.5, 0.9, 0.6], Straggler(2, 0.4)),
        ([0.9, 0.9, 0.9, 0.1], None),  # nobody waits for the fast one
    ],
)
def test_a_rank_is_named_that_costs_more_than_a_fifth(compute, expected):
    found = straggler(steps(compute))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.rank == expected.rank
        assert found.cost == pytest.approx(expected.cost, abs=1e-6)
