"""J = mean of -w t log p - (1 - t) log(1 - p), p = 1 / (1 + e^-z); w, one for all outputs or one for each."""

from __future__ import annotations

import numpy as np
from reference.weights import mean, of_mean

CASES = [{}, {"positive_weight": [3.0]}, {"positive_weight": [0.25, 4.0, 0.0, 1.0]}]
PER_OUTPUT = ("positive_weight",)


def targets(generator, rows, shape):
    """Mostly 0 and 1, some between."""
    values = generator.integers(0, 2, (rows, *shape)).astype(np.float64)
    return np.where(generator.random(values.shape) < 0.2, generator.random(values.shape), values)


def shown(output):
    """Probabilities."""
    return 0.5 * (1.0 + np.tanh(0.5 * output))


def loss(output, targets, settings, weights=None):
    positive = np.array(settings["positive_weight"])
    yes, no = np.logaddexp(0.0, -output), np.logaddexp(0.0, output)  # -log p, -log(1 - p)
    return mean(positive * targets * yes + (1.0 - targets) * no, weights)


def gradient(output, targets, settings, weights=None):
    positive, p = np.array(settings["positive_weight"]), shown(output)
    return of_mean((1.0 - targets) * p - positive * targets * (1.0 - p), weights)


def accuracy(output, targets):
    """A sample counts where all its outputs fall on their targets' side."""
    return float(np.mean(np.all((output > 0.0) == (targets > 0.5), axis=1)))


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    return torch.nn.functional.binary_cross_entropy_with_logits(
        output,
        targets,
        pos_weight=torch.tensor(settings["positive_weight"], dtype=output.dtype),
        reduction=reduction,
    )
