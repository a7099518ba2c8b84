"""J = mean of max(0, 1 - y a), y = -1 or 1; squared = true: of its square."""

from __future__ import annotations

import numpy as np
from reference.weights import mean, of_mean

CASES = [{}, {"squared": True}]


def targets(generator, rows, shape):
    return generator.choice([-1.0, 1.0], size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings, weights=None):
    return mean(np.maximum(0.0, 1.0 - targets * output) ** (2 if settings["squared"] else 1), weights)


def gradient(output, targets, settings, weights=None):
    short = np.maximum(0.0, 1.0 - targets * output)
    return of_mean(
        -targets * (2.0 * short if settings["squared"] else np.where(short > 0.0, 1.0, 0.0)), weights
    )


def accuracy(output, targets):
    """A sample counts where all its outputs have their targets' sign."""
    return float(np.mean(np.all((output > 0.0) == (targets > 0.0), axis=1)))


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    if settings["squared"]:
        losses = torch.clamp(1.0 - targets * output, min=0.0).square()
        return losses.mean() if reduction == "mean" else losses
    # max(0, 1 - d) of targets -1, with d = y a.
    return torch.nn.functional.hinge_embedding_loss(
        targets * output, -torch.ones_like(targets), margin=1.0, reduction=reduction
    )
