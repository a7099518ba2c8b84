"""Early stopping: an end when the validation loss has stopped falling, and the best weights back."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.errors import CheckpointError, InputError
from ravine.model import whole_number
from ravine.training.weights import answering_values, exchange

PREFIX = "early_stopping."  # of the weights that a checkpoint keeps beside those of the network
_COUNTS = ("waited", "best_step", "best_epoch")


class EarlyStopping:
    """Counts evaluations without improvement, and keeps the weights of the lowest validation loss.

    An evaluation improves if its loss is below that of the last improvement by more than `minimum_change`.
    After `patience` evaluations in a row without one the training ends. However it ends, by patience or
    after its last epoch, the network then gets the weights of the lowest loss. Lectures L1 and L4;
    L. Prechelt, "Early stopping, but when?", 1998.

    Args:
        patience: evaluations, at least 1.
        minimum_change: of the loss, at least 0.

    Raises:
        InputError: a number out of range.

    Example:
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(1)).network([2], loss="squared_error")
        >>> stopping = EarlyStopping(2)
        >>> for step, loss in enumerate([3.0, 2.0, 2.5, 2.1], 1):
        ...     stopping.observe(network, {"loss": loss}, step, step)
        >>> stopping.exhausted, stopping.best_step
        (True, 2)
    """

    def __init__(self, patience: int, minimum_change: float = 0.0) -> None:
        self.patience = whole_number("patience", patience, 1)
        if not 0 <= minimum_change < math.inf:
            raise InputError(f"must be at least 0, got {minimum_change}", key="minimum_change")
        self.minimum_change = float(minimum_change)
        self.reference: float | None = None  # the loss of the last improvement
        self.waited = 0
        self.best_step = 0
        self.best_epoch = 0
        self.metrics: dict[str, float] = {}  # of the best evaluation
        self.restored = False  # the network has the best weights, and `weights` the last ones
        self.weights: dict[str, NDArray[Any]] = {}

    @property
    def exhausted(self) -> bool:
        """The patience is at its end."""
        return self.waited >= self.patience

    def check_splits(self, splits: Collection[str]) -> None:
        """Raises InputError where there is no split to watch."""
        if "validation" not in splits:
            raise InputError(
                f"is {self.patience}, but early stopping watches the loss of validation samples, and there "
                "are none; set data.split.validation_fraction, or give validation data",
                key="patience",
            )

    def observe(self, network: _core.Network, metrics: Mapping[str, float], step: int, epoch: int) -> None:
        """Takes the metrics of an evaluation on the validation samples."""
        loss = metrics["loss"]
        if self.reference is None or loss < self.reference - self.minimum_change:
            self.reference, self.waited = loss, 0
        else:
            self.waited += 1
        if not self.metrics or loss < self.metrics["loss"]:
            self.best_step, self.best_epoch, self.metrics = step, epoch, dict(metrics)
            self.weights = {name: values.copy() for name, values in answering_values(network).items()}

    def swap(self, network: _core.Network) -> None:
        """Exchanges the weights of the network with those that are kept."""
        exchange(answering_values(network), self.weights)
        self.restored = not self.restored

    def summary(self) -> dict[str, Any]:
        """What is recorded when the best weights come back."""
        return {
            "best_step": self.best_step,
            "best_epoch": self.best_epoch,
            "metrics": self.metrics,
            "patience_ended": self.exhausted,
        }

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the weights."""
        return {
            "reference": self.reference,
            "metrics": self.metrics,
            "restored": self.restored,
            **{name: getattr(self, name) for name in _COUNTS},
        }

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights that a checkpoint keeps."""
        return {PREFIX + name: values for name, values in self.weights.items()}

    def restore(self, stored: object, tensors: Mapping[str, NDArray[Any]], network: _core.Network) -> None:
        """Takes over what `state` and `tensors` gave.

        Raises:
            CheckpointError: it cannot have come from them.
        """
        if not isinstance(stored, dict) or set(stored) != {"reference", "metrics", "restored", *_COUNTS}:
            raise CheckpointError("holds no state of early stopping")
        metrics, reference = stored["metrics"], stored["reference"]
        counts = [stored[name] for name in _COUNTS]
        possible = (
            isinstance(metrics, dict)
            and isinstance(stored["restored"], bool)
            and all(isinstance(count, int) and count >= 0 for count in counts)
            and all(_is_number(value) for value in metrics.values())
            and (_is_number(reference) and "loss" in metrics if metrics else reference is None)
            and (bool(metrics) or not stored["restored"])
        )
        if not possible:
            raise CheckpointError("holds a state of early stopping that cannot be")
        weights: dict[str, NDArray[Any]] = {}
        for name, values in answering_values(network).items() if metrics else ():
            kept = tensors.get(PREFIX + name)
            if kept is None or kept.shape != values.shape or kept.dtype != values.dtype:
                raise CheckpointError(f"holds no best weights of '{name}' that fit the network")
            weights[name] = kept.copy()
        self.weights, self.reference, self.metrics = weights, reference, dict(metrics)
        self.waited, self.best_step, self.best_epoch = counts
        self.restored = stored["restored"]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
