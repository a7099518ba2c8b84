"""What listens to a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ravine.distributions import DistributionRow
    from ravine.training.history import EvaluationRecord
    from ravine.training.trainer import Trainer


class Callback:
    """Base of what listens to a training: override what is wanted; all is called between steps.

    Where several ranks train, each calls its own; what a callback changes must be the same on all of them.

    Example:
        >>> class Stop(Callback):
        ...     def on_epoch_end(self, trainer):
        ...         trainer.stop()
    """

    def on_start(self, trainer: Trainer) -> None:
        """The training begins or goes on."""

    def on_steps(self, trainer: Trainer, steps: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Some steps were done; `steps` and `values` [n, columns] are those that were recorded."""

    def on_distributions(self, trainer: Trainer, rows: list[DistributionRow]) -> None:
        """At some of the steps that `on_steps` is about to tell of, distributions were recorded."""

    def on_control(self, trainer: Trainer) -> None:
        """Control is back for a moment: after steps, while paused, or within the evaluation of a split."""

    def on_news(self, trainer: Trainer, news: list[dict[str, Any]]) -> None:
        """On rank 0: what each rank had to tell, see `Meeting.tell`."""

    def on_pause_of_evaluation(self, trainer: Trainer) -> None:
        """A large split is being evaluated, and control is back for a moment."""

    def on_evaluation(self, trainer: Trainer, record: EvaluationRecord) -> None:
        """A split was evaluated."""

    def on_schedule(self, trainer: Trainer, change: dict[str, Any]) -> None:
        """A schedule has acted on what was measured: the hyperparameter's name, the values before and now."""

    def on_best_weights(self, trainer: Trainer, summary: dict[str, Any]) -> None:
        """The training is over, and the network has got the weights of the lowest validation loss back."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """An epoch is over, its evaluations too."""

    def on_end(self, trainer: Trainer) -> None:
        """The training is over, or was stopped."""
