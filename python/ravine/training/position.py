"""Where a training is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Position:
    """Where a training is, between two steps: all that a resume needs beside weights and optimizer state.

    Args:
        epoch: finished epochs.
        batch: finished batches of the epoch that runs; all of them while its end is still to be evaluated.
        step: finished steps in all.
        rows, loss, weight, correct: of the epoch that runs: samples, sum of their weighted losses, sum of
            these weights (without weights: their number), right answers.
        seconds: of training so far.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    rows: int = 0
    loss: float = 0.0
    weight: float = 0.0
    correct: int = 0
    seconds: float = 0.0

    def training_metrics(self, has_accuracy: bool) -> dict[str, float]:
        """Means over the batches of the epoch that runs; the accuracy counts each sample the same."""
        if self.rows == 0:
            return {}
        metrics = {"loss": self.loss / self.weight if self.weight > 0 else self.loss}
        if has_accuracy:
            metrics["accuracy"] = self.correct / self.rows
        return metrics
