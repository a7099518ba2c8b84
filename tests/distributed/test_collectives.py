"""Costs of sums: against messages that are sent one by one, and numbers computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ravine.distributed.collectives import (
    ALGORITHMS,
    Link,
    Measured,
    fitted_link,
    gather_seconds,
    sum_seconds,
)

LINK = Link(latency=3e-4, bandwidth=1e8, addition=1e9)


class Ranks:
    """Clocks of ranks that hold sets of (rank, part) and send them; each part weighs the same."""

    def __init__(self, ranks: int, parts: int, size: float, link: Link) -> None:
        self.clocks = [0.0] * ranks
        self.held = [[{rank} for _ in range(parts)] for rank in range(ranks)]  # whose values each part sums
        self.part, self.link = size / parts, link

    def round(self, sent: dict[int, tuple[int, list[int]]], add: bool) -> None:
        """All messages of a round: from each rank to another, some parts, that are added or replace."""
        before = [[set(part) for part in parts] for parts in self.held]
        start = list(self.clocks)
        for source, (target, parts) in sent.items():
            size = self.part * len(parts)
            arrived = max(start[source], start[target]) + self.link.latency + size / self.link.bandwidth
            for part in parts:
                if add:
                    assert not before[source][part] & before[target][part], "a value is added twice"
                    self.held[target][part] |= before[source][part]
                else:
                    self.held[target][part] = before[source][part]
            self.clocks[source] = max(self.clocks[source], arrived)  # it sends one at a time
            self.clocks[target] = max(self.clocks[target], arrived + add * size / self.link.addition)

    def finished(self) -> float:
        """The time at which the last rank has all sums."""
        everybody = set(range(len(self.clocks)))
        assert all(part == everybody for parts in self.held for part in parts)
        return max(self.clocks)


def ring(ranks: int, size: float) -> float:
    room = Ranks(ranks, ranks, size, LINK)
    for turn in range(2 * (ranks - 1)):
        moved = {rank: ((rank + 1) % ranks, [(rank - turn) % ranks]) for rank in range(ranks)}
        room.round(moved, add=turn < ranks - 1)
    return room.finished()


def recursive_doubling(ranks: int, size: float) -> float:
    whole = 1 << (ranks.bit_length() - 1)
    room = Ranks(ranks, 1, size, LINK)
    if ranks > whole:
        room.round({rank: (rank - whole, [0]) for rank in range(whole, ranks)}, add=True)
    for bit in range(whole.bit_length() - 1):
        room.round({rank: (rank ^ 1 << bit, [0]) for rank in range(whole)}, add=True)
    if ranks > whole:
        room.round({rank - whole: (rank, [0]) for rank in range(whole, ranks)}, add=False)
    return room.finished()


def rabenseifner(ranks: int, size: float) -> float:
    whole = 1 << (ranks.bit_length() - 1)
    room = Ranks(ranks, whole, size, LINK)
    every = list(range(whole))
    if ranks > whole:
        room.round({rank: (rank - whole, every) for rank in range(whole, ranks)}, add=True)
    bits = [1 << bit for bit in range(whole.bit_length() - 1)]
    kept = {rank: every for rank in range(whole)}
    for bit in bits:  # each keeps the half whose number agrees with its own
        room.round(
            {rank: (rank ^ bit, [part for part in kept[rank] if (part ^ rank) & bit]) for rank in every},
            add=True,
        )
        kept = {rank: [part for part in kept[rank] if not (part ^ rank) & bit] for rank in every}
    for bit in reversed(bits):
        room.round({rank: (rank ^ bit, kept[rank]) for rank in every}, add=False)
        kept = {rank: kept[rank] + kept[rank ^ bit] for rank in every}
    if ranks > whole:
        room.round({rank - whole: (rank, every) for rank in range(whole, ranks)}, add=False)
    return room.finished()


def reduce_and_broadcast(ranks: int, size: float) -> float:
    room = Ranks(ranks, 1, size, LINK)
    bits = [1 << bit for bit in range((ranks - 1).bit_length())]
    for bit in bits:
        room.round(
            {rank: (rank - bit, [0]) for rank in range(ranks) if rank & bit and not rank % bit}, add=True
        )
    for bit in reversed(bits):
        room.round(
            {rank: (rank + bit, [0]) for rank in range(0, ranks, 2 * bit) if rank + bit < ranks}, add=False
        )
    return room.finished()


@pytest.mark.parametrize("ranks", [2, 3, 4, 5, 6, 7, 8, 16])
@pytest.mark.parametrize("simulated", [ring, recursive_doubling, rabenseifner, reduce_and_broadcast])
def test_costs_are_those_of_the_messages(simulated: Callable[[int, float], float], ranks: int) -> None:
    for size in (8.0, 25e6):
        expected = simulated(ranks, size)
        assert sum_seconds(ranks, size, LINK, simulated.__name__) == pytest.approx(expected, rel=1e-12)


def test_numbers_by_hand() -> None:
    link = Link(latency=1e-3, bandwidth=1e6, addition=1e7)
    # p = 4, n = 1 MB. Ring: 6 messages of 0.25 MB, 3 of them added.
    assert sum_seconds(4, 1e6, link, "ring") == pytest.approx(6 * (0.001 + 0.25) + 3 * 0.025)
    # 2 exchanges of all.
    assert sum_seconds(4, 1e6, link, "recursive_doubling") == pytest.approx(2 * (0.001 + 1 + 0.1))
    # Halves, quarters, quarters, halves; the first two are added.
    assert sum_seconds(4, 1e6, link) == pytest.approx(4 * 0.001 + 1.5 + 0.075)
    assert gather_seconds(4, 1e6, link) == pytest.approx(0.001 + 0.25 + 0.001 + 0.5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_limits(algorithm: str) -> None:
    assert sum_seconds(1, 1e9, LINK, algorithm) == 0
    assert sum_seconds(8, 0, LINK, algorithm) == 0
    assert sum_seconds(8, 1e9, Link(0.0, math.inf), algorithm) == 0
    assert gather_seconds(1, 1e9, LINK) == 0
    # No sum can do with less than to send and receive all but its own part twice (Patarasuk and Yuan, 2009).
    for ranks in (2, 4, 64):
        assert sum_seconds(ranks, 1e9, LINK, algorithm) >= 2 * (ranks - 1) / ranks * 1e9 / LINK.bandwidth


def test_a_link_is_found_again_from_times() -> None:
    true = Link(latency=2e-4, bandwidth=3e7)
    times = [
        Measured(ranks, size, sum_seconds(ranks, size, true, "ring"))
        for ranks in (2, 4)
        for size in (64, 1e5, 1e7)
    ]
    found = fitted_link(times, "ring")
    assert found.latency == pytest.approx(true.latency)
    assert found.bandwidth == pytest.approx(true.bandwidth)
    # Times that fall with the size would need a latency or a bandwidth below zero.
    odd = fitted_link([Measured(2, 1e3, 0.002), Measured(2, 1e6, 0.001)])
    assert odd.latency >= 0
    assert odd.bandwidth > 0
