"""How long ranks take to add numbers, on links of a latency and a bandwidth.

A message of n bytes takes alpha + n beta seconds (R. Hockney, Parallel Computing 20, 1994), every rank sends
and receives at once, and adding n bytes takes n gamma. The sums are those of R. Thakur, R. Rabenseifner and
W. Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 19(1), 2005.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Link:
    """What connects any two ranks.

    Args:
        latency: alpha, seconds a message, whatever its size; programs included.
        bandwidth: 1 / beta, bytes a second.
        addition: 1 / gamma, bytes a second that a rank adds to others.

    Example:
        >>> Link(latency=50e-6, bandwidth=125e6).message(125_000)
        0.00105
    """

    latency: float
    bandwidth: float
    addition: float = math.inf

    def message(self, count: float) -> float:
        """Seconds that a message of so many bytes takes."""
        return self.latency + count / self.bandwidth


class Cost(NamedTuple):
    """Of a collective call: messages that follow each other, what a rank sends and adds, in parts of n."""

    messages: float
    sent: float
    added: float

    def seconds(self, count: float, link: Link) -> float:
        """Seconds for n = `count` bytes."""
        return self.messages * link.latency + count * (
            self.sent / link.bandwidth + self.added / link.addition
        )


def ring(ranks: int) -> Cost:
    """2(p-1) alpha + 2 (p-1)/p n beta + (p-1)/p n gamma: each rank adds a p-th part that goes round."""
    return Cost(2 * (ranks - 1), 2 * (ranks - 1) / ranks, (ranks - 1) / ranks)


def recursive_doubling(ranks: int) -> Cost:
    """log2 p (alpha + n beta + n gamma): in each round a rank exchanges all with one twice as far away.

    Where p is no power of two, the ranks beyond one first add their values to another's and last get the sum.
    """
    rounds = math.floor(math.log2(ranks))
    more = ranks != 1 << rounds
    return Cost(rounds + 2 * more, rounds + 2 * more, rounds + more)


def rabenseifner(ranks: int) -> Cost:
    """2 log2 p alpha + 2 (p-1)/p n beta + (p-1)/p n gamma: halves are exchanged and added, then gathered.

    Where p is no power of two, as with `recursive_doubling`.
    """
    rounds = math.floor(math.log2(ranks))
    whole = 1 << rounds
    more = ranks != whole
    share = (whole - 1) / whole
    return Cost(2 * rounds + 2 * more, 2 * share + 2 * more, share + more)


def reduce_and_broadcast(ranks: int) -> Cost:
    """2 ceil(log2 p) (alpha + n beta) + ceil(log2 p) n gamma: up a binomial tree and down again.

    It is what Open MPI 5 chooses for sums in place that go on while other work does.
    """
    rounds = math.ceil(math.log2(ranks))
    return Cost(2 * rounds, 2 * rounds, rounds)


ALGORITHMS: dict[str, Callable[[int], Cost]] = {
    "rabenseifner": rabenseifner,
    "ring": ring,
    "recursive_doubling": recursive_doubling,
    "reduce_and_broadcast": reduce_and_broadcast,
}


def best_algorithm(ranks: int) -> str:
    """The one that sends least: halves are exchanged where the ranks can be halved, else parts go round.

    Example:
        >>> best_algorithm(8), best_algorithm(12)
        ('rabenseifner', 'ring')
    """
    return "ring" if ranks & (ranks - 1) else "rabenseifner"


def sum_seconds(ranks: int, count: float, link: Link, algorithm: str = "best") -> float:
    """Seconds in which so many ranks add `count` bytes each, and all get the sum.

    Args:
        ranks: at least 1; one alone takes no time.
        count: bytes; none take no time.
        link: between any two.
        algorithm: one of ALGORITHMS, or "best".

    Example:
        >>> link = Link(latency=1e-3, bandwidth=1e6)
        >>> sum_seconds(4, 1e6, link), sum_seconds(4, 1e6, link, "ring"), sum_seconds(1, 1e6, link)
        (1.504, 1.506, 0.0)
    """
    return cost(ranks, algorithm).seconds(count, link) if ranks > 1 and count > 0 else 0.0


def cost(ranks: int, algorithm: str = "best") -> Cost:
    """What an algorithm costs, by its name."""
    return ALGORITHMS[best_algorithm(ranks) if algorithm == "best" else algorithm](ranks)


def gather_seconds(ranks: int, count: float, link: Link) -> float:
    """log2 p alpha + (p-1)/p n beta: seconds until all ranks have n bytes, of which each had a p-th part.

    Example:
        >>> gather_seconds(4, 1e6, Link(latency=1e-3, bandwidth=1e6))
        0.752
    """
    if ranks == 1:
        return 0.0
    return math.ceil(math.log2(ranks)) * link.latency + (ranks - 1) / ranks * count / link.bandwidth


class Measured(NamedTuple):
    """A sum of so many bytes that was timed."""

    ranks: int
    size: float
    seconds: float


def fitted_link(measured: Sequence[Measured], algorithm: str = "best") -> Link:
    """The link that explains times of sums: least squares of relative errors, neither number below zero.

    Adding is not told apart from sending: it is part of the bandwidth.

    Args:
        measured: at least two sizes.
        algorithm: by which they were computed.

    Example:
        >>> true = Link(latency=1e-4, bandwidth=1e8)
        >>> times = [Measured(p, n, sum_seconds(p, n, true)) for p in (2, 4) for n in (1e2, 1e7)]
        >>> link = fitted_link(times)
        >>> round(link.latency, 9), round(link.bandwidth)
        (0.0001, 100000000)
    """
    costs = [cost(one.ranks, algorithm) for one in measured]
    columns = np.array(
        [(of_one.messages, of_one.sent * one.size) for of_one, one in zip(costs, measured, strict=True)]
    )
    latency, by_byte = fitted(columns, np.array([one.seconds for one in measured]))
    return Link(latency, 1 / by_byte if by_byte else math.inf)


def fitted(columns: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[float, float]:
    """The two numbers x, not negative, for which columns @ x is nearest to the times, by relative error.

    Args:
        columns: [n, 2], not negative.
        seconds: [n], positive.
    """
    scaled = columns / seconds[:, None]
    ones = np.ones(len(seconds))
    candidates = [np.linalg.lstsq(scaled, ones, rcond=None)[0]]
    for kept in (0, 1):  # with the other at its bound
        alone = np.zeros(2)
        square = scaled[:, kept] @ scaled[:, kept]
        alone[kept] = scaled[:, kept] @ ones / square if square else 0.0
        candidates.append(alone)
    possible = [one for one in candidates if (one >= 0).all()]
    first, second = min(possible, key=lambda one: float(((scaled @ one - ones) ** 2).sum()))
    return float(first), float(second)
