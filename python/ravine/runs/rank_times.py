"""Where the ranks of a job spend their time, and which of them the others wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NAMES = ("compute", "wait", "communicate", "overlapped")
STRAGGLER_SHARE = 0.2  # of a step, that one rank may cost before it is named


class RankTimes(NamedTuple):
    """What the ranks did in recorded steps: ``steps`` [n], ``seconds`` [n, ranks, 4] float32.

    The last axis is compute, wait (for slower ranks), communicate, and overlapped, which is the part of
    communicate that went on beside computing: a step takes compute + wait + communicate - overlapped.
    """

    steps: NDArray[np.int64]
    seconds: NDArray[np.float32]


@dataclass(frozen=True)
class RankSummary:
    """Means over steps of one rank, in seconds; ``share`` is what it computes, of the whole ``step``."""

    rank: int
    compute: float
    wait: float
    communicate: float
    overlapped: float
    step: float
    share: float


@dataclass(frozen=True)
class Straggler:
    """The rank that the others wait for; ``cost`` is what that takes, as a share of the step."""

    rank: int
    cost: float

    def text(self, host: str) -> str:
        """The same in words.

        Example:
            >>> Straggler(1, 0.25).text("bert")
            'rank 1 on bert is the slowest: the others wait 25 % of each step for it'
        """
        share = f"{100 * self.cost:.0f} %"
        return f"rank {self.rank} on {host} is the slowest: the others wait {share} of each step for it"


def unpacked_times(rows: Sequence[tuple[Any, Any]]) -> RankTimes:
    """The rows of the table `ranks`, step and float32 [ranks, 4], as far as they have equally many ranks.

    Raises:
        ValueError: a row of another shape.
    """
    width = 4 * len(NAMES)
    steps: list[int] = []
    blobs: list[bytes] = []
    for step, packed in rows:
        if not isinstance(packed, bytes) or not packed or len(packed) % width:
            raise ValueError(f"the times of the ranks at step {step} do not hold {len(NAMES)} values a rank")
        if blobs and len(packed) != len(blobs[0]):
            break
        steps.append(int(step))
        blobs.append(packed)
    seconds = np.frombuffer(b"".join(blobs), "<f4").astype(np.float32, copy=False)
    ranks = len(blobs[0]) // width if blobs else 0
    return RankTimes(np.array(steps, np.int64), seconds.reshape(len(steps), ranks, len(NAMES)))


def summarize(seconds: NDArray[np.float32]) -> list[RankSummary]:
    r"""Means over recorded steps, one entry a rank.

    step = compute + wait + communicate - overlapped
    share = compute / step

    Args:
        seconds: [n, ranks, 4], as in `RankTimes`.

    Example:
        >>> summarize(np.array([[[0.3, 0.1, 0.3, 0.2]]], np.float32))[0].share.__round__(3)
        0.6
    """
    found = []
    for rank in range(seconds.shape[1]):
        means = seconds[:, rank].mean(axis=0, dtype=np.float64) if len(seconds) else np.zeros(len(NAMES))
        compute, wait, communicate, overlapped = map(float, means)
        step = compute + wait + communicate - overlapped
        share = compute / step if step > 0 else 0.0
        found.append(RankSummary(rank, compute, wait, communicate, overlapped, step, share))
    return found


def straggler(seconds: NDArray[np.float32]) -> Straggler | None:
    """The rank that waits the least, where that costs more than 20 % of a step: the others wait for it.

    cost = (median of the others' wait - its wait) / step: what a step would be shorter by, if that rank were
    as fast as the others, be it in computing or in reading its data.

    Args:
        seconds: [n, ranks, 4], as in `RankTimes`.

    Returns:
        None with one rank, and where no rank costs that much.

    Example:
        >>> straggler(np.array([[[0.1, 0.3, 0, 0], [0.4, 0, 0, 0]]], np.float32))
        Straggler(rank=1, cost=0.75)
    """
    ranks = summarize(seconds)
    if len(ranks) < 2:
        return None
    slowest = min(ranks, key=lambda one: one.wait)
    others = float(np.median([one.wait for one in ranks if one is not slowest]))
    step = max(one.step for one in ranks)
    cost = (others - slowest.wait) / step if step > 0 else 0.0
    return Straggler(slowest.rank, round(cost, 6)) if cost > STRAGGLER_SHARE else None
