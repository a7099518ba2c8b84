"""What a training was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from ravine.data import Dataset
from ravine.training.feeding import Feed


@dataclass
class Plan:
    """What `Trainer.fit` was asked for.

    Args:
        source: of its batches.
        epochs: passes over the samples.
        evaluate_every: epochs between evaluations.
        splits: to evaluate on, by name.
        first_step: steps that the optimizer had done in trainings before this one.
    """

    source: Feed
    epochs: int
    evaluate_every: int
    splits: dict[str, Dataset] = field(default_factory=dict)
    first_step: int = 0
