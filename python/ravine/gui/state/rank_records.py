"""What the ranks of a run did with their time, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.records import Records
from ravine.runs import RankTimes
from ravine.runs.rank_times import NAMES

BYTES = 16 << 20


class RankRecords:
    """Times of equally many ranks.

    Args:
        count: of ranks.

    Attributes:
        count: of ranks.
        wait: seconds that each rank waited; a column a rank, placed by step.
        last_step: that was read; -1 before the first.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.wait = Records(count, 1, BYTES)
        self.last_step = -1
        self._sums = np.zeros((count, len(NAMES)))

    def append(self, times: RankTimes) -> None:
        """Adds steps."""
        self._sums += times.seconds.sum(axis=0, dtype=np.float64)
        places = times.steps[None].astype(np.float64)
        self.wait.append(places, times.seconds[:, :, NAMES.index("wait")].T)
        self.last_step = int(times.steps[-1])

    @property
    def means(self) -> NDArray[np.float32]:
        """Mean seconds [1, ranks, 4], in the form of one step; [0, ranks, 4] before the first."""
        steps = self.wait.count
        means: NDArray[np.float32] = (self._sums / max(1, steps)).astype(np.float32)[None]
        return means[: min(steps, 1)]
