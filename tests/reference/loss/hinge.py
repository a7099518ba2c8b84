"""J = mean of max(0, 1 - y a), y = -1 or 1; squared = true: of its square."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"squared": True}]


def targets(generator, rows, shape):
    return generator.choice([-1.0, 1.0], size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings):
    return float(np.mean(np.maximum(0.0, 1.0 - targets * output) ** (2 if settings["squared"] else 1)))


def gradient(output, targets, settings):
    short = np.maximum(0.0, 1.0 - targets * output)
    return -targets * (2.0 * short if settings["squared"] else np.where(short > 0.0, 1.0, 0.0)) / output.size


def accuracy(output, targets):
    """A sample counts where all its outputs have their targets' sign."""
    return float(np.mean(np.all((output > 0.0) == (targets > 0.0), axis=1)))


def torch_equivalent(torch, output, targets, settings):
    if settings["squared"]:
        return torch.clamp(1.0 - targets * output, min=0.0).square().mean()
    # max(0, 1 - d) of targets -1, with d = y a.
    return torch.nn.functional.hinge_embedding_loss(targets * output, -torch.ones_like(targets), margin=1.0)
