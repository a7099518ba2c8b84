"""J = mean of -t log p - (1 - t) log(1 - p), p = 1 / (1 + e^-z)."""

from __future__ import annotations

import numpy as np

CASES = [{}]


def targets(generator, rows, shape):
    """Mostly 0 and 1, some between."""
    values = generator.integers(0, 2, (rows, *shape)).astype(np.float64)
    return np.where(generator.random(values.shape) < 0.2, generator.random(values.shape), values)


def shown(output):
    """Probabilities."""
    return 0.5 * (1.0 + np.tanh(0.5 * output))


def loss(output, targets, settings):
    return float(np.mean(np.logaddexp(0.0, output) - targets * output))


def gradient(output, targets, settings):
    return (shown(output) - targets) / output.size


def accuracy(output, targets):
    """A sample counts where all its outputs fall on their targets' side."""
    return float(np.mean(np.all((output > 0.0) == (targets > 0.5), axis=1)))


def torch_equivalent(torch, output, targets, settings):
    return torch.nn.functional.binary_cross_entropy_with_logits(output, targets)
