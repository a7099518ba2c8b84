"""Metrics of the parts of the data, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.records import Records
from ravine.runs import Evaluation

BYTES = 1 << 20  # of one metric: some tens of thousands of evaluations, then groups of them


class Evaluations:
    """What was evaluated, oldest first; the newest of each part may still be replaced."""

    def __init__(self) -> None:
        self.newest_step = 0
        self._newest: dict[str, Evaluation] = {}
        self._before: dict[tuple[str, str], Records] = {}

    def take(self, found: list[Evaluation]) -> bool:
        """Adds evaluations, not older than those that are known; tells whether they are others."""
        changed = False
        for one in found:
            known = self._newest.get(one.split)
            if known == one:
                continue
            if known is not None and known.step < one.step:
                self._keep(known)
            self._newest[one.split] = one
            self.newest_step = max(self.newest_step, one.step)
            changed = True
        return changed

    def _keep(self, one: Evaluation) -> None:
        places = np.array([[one.step], [one.epoch]], np.float64)
        for name, value in one.metrics.items():
            key = (one.split, name)
            if key not in self._before:
                self._before[key] = Records(1, 2, BYTES)
            self._before[key].append(places, np.array([[value]], np.float32))

    @property
    def names(self) -> list[tuple[str, str]]:
        """Parts with their metrics."""
        newest = [(one.split, name) for one in self._newest.values() for name in one.metrics]
        return list(dict.fromkeys([*self._before, *newest]))

    def series(
        self, split: str, metric: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Steps, epochs and values of a metric [n]; means where evaluations were put together."""
        parts = []
        if (before := self._before.get((split, metric))) is not None:
            parts.append(np.stack([before.places(0), before.places(1), before.mean(0)]))
        newest = self._newest.get(split)
        if newest is not None and metric in newest.metrics:
            parts.append(np.array([[newest.step], [newest.epoch], [newest.metrics[metric]]]))
        if not parts:
            return np.empty(0), np.empty(0), np.empty(0)
        steps, epochs, values = np.concatenate(parts, axis=1)
        return steps, epochs, values
