"""What a training recorded, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.distributions import Distribution, DistributionRow, Kind, check_kind, chosen
from ravine.errors import InputError


class EvaluationRecord(NamedTuple):
    """Metrics of one split after an epoch."""

    step: int
    epoch: float
    split: str
    metrics: dict[str, float]


class History:
    """Recorded steps and evaluations of a training.

    Args:
        columns: names of the values that are recorded at each step.

    Example:
        >>> history = History(["loss"])
        >>> history.append(np.array([1, 2]), np.array([[2.5], [2.25]], np.float32))
        >>> history["loss"].tolist()
        [2.5, 2.25]
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self.evaluations: list[EvaluationRecord] = []
        self._steps: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float32]] = []
        self._distributions: list[DistributionRow] = []

    def append(
        self,
        steps: NDArray[np.int64],
        values: NDArray[np.float32],
        distributions: Sequence[DistributionRow] = (),
    ) -> None:
        """Adds recorded steps [n] with their values [n, columns], and distributions."""
        self._distributions += distributions
        if len(steps):
            self._steps.append(steps)
            self._values.append(values)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Numbers of the recorded steps."""
        return np.concatenate(self._steps) if self._steps else np.empty(0, np.int64)

    @property
    def values(self) -> NDArray[np.float32]:
        """Recorded values [steps, columns]."""
        if not self._values:
            return np.empty((0, len(self.columns)), np.float32)
        return np.concatenate(self._values)

    def __getitem__(self, column: str) -> NDArray[np.float32]:
        if column not in self.columns:
            raise InputError(f"is not recorded; there are: {', '.join(self.columns)}", key=column)
        index = self.columns.index(column)
        return self.values[:, index]

    def by_layer(self, statistic: str) -> dict[str, NDArray[np.float32]]:
        """One statistic of every layer that has it, each [steps], in the order of the layers.

        Args:
            statistic: "activation_mean", "activation_variance" or "activation_zeros" (share of zeros) over
                all values of a layer's output; "gradient_norm", "weight_norm" or "update_norm" of its
                parameters.

        Raises:
            InputError: no layer has it.

        Example:
            >>> history = History(["loss", "dense_1.gradient_norm", "dense_2.gradient_norm"])
            >>> history.append(np.array([1]), np.array([[2.5, 0.5, 0.25]], np.float32))
            >>> {layer: float(norms[0]) for layer, norms in history.by_layer("gradient_norm").items()}
            {'dense_1': 0.5, 'dense_2': 0.25}
        """
        ending = f".{statistic}"
        values = self.values
        found = {
            column.removesuffix(ending): values[:, index]
            for index, column in enumerate(self.columns)
            if column.endswith(ending)
        }
        if not found:
            known = sorted({column.partition(".")[2] for column in self.columns if "." in column})
            raise InputError(f"no layer records it; there are: {', '.join(known)}", key=statistic)
        return found

    def distributions(self, name: str | None = None, kind: Kind | None = None) -> list[Distribution]:
        """Distributions that a training with statistics="full" recorded, by step.

        Args:
            name: of a layer, for its output, or of a parameter ("dense_1.weight"); all without.
            kind: "output", "weight" or "gradient"; all without.

        Raises:
            InputError: an unknown kind.

        Example:
            >>> from ravine import Sequential, Trainer, layers
            >>> trainer = Trainer(
            ...     Sequential(layers.Dense(1)), loss="squared_error", optimizer="adam", batch_size=1,
            ...     statistics="full", full_every=2,
            ... )
            >>> history = trainer.fit([[0.0], [1.0]], [0.0, 2.0], epochs=3)
            >>> [(found.step, found.count) for found in history.distributions("dense_1.weight", "gradient")]
            [(2, 1), (4, 1), (6, 1)]
        """
        check_kind(kind)
        return chosen(self._distributions, name, kind)

    def metric(self, name: str, split: str = "validation") -> list[float]:
        """One metric of a split, in the order of its evaluations."""
        return [record.metrics[name] for record in self.evaluations if record.split == split]
