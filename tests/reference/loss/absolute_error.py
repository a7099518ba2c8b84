"""J = mean over samples and outputs of |a - y|."""

from __future__ import annotations

import numpy as np
from reference.weights import mean, of_mean

CASES = [{}]


def targets(generator, rows, shape):
    return generator.normal(size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings, weights=None):
    return mean(np.abs(output - targets), weights)


def gradient(output, targets, settings, weights=None):
    return of_mean(np.sign(output - targets), weights)


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    return torch.nn.functional.l1_loss(output, targets, reduction=reduction)
