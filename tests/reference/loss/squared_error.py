"""J = mean over samples and outputs of (a - y)^2; half = true: of 1/2 (a - y)^2."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"half": True}]


def targets(generator, rows, shape):
    return generator.normal(size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings):
    return float(np.mean((output - targets) ** 2)) * (0.5 if settings["half"] else 1.0)


def gradient(output, targets, settings):
    return (1.0 if settings["half"] else 2.0) * (output - targets) / output.size


def torch_equivalent(torch, output, targets, settings):
    return torch.nn.functional.mse_loss(output, targets) * (0.5 if settings["half"] else 1.0)
