"""J = mean over samples and outputs of (a - y)^2; half = true: of 1/2 (a - y)^2."""

from __future__ import annotations

from reference.weights import mean, of_mean

CASES = [{}, {"half": True}]


def targets(generator, rows, shape):
    return generator.normal(size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings, weights=None):
    return mean((output - targets) ** 2, weights) * (0.5 if settings["half"] else 1.0)


def gradient(output, targets, settings, weights=None):
    return of_mean((1.0 if settings["half"] else 2.0) * (output - targets), weights)


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    factor = 0.5 if settings["half"] else 1.0
    return torch.nn.functional.mse_loss(output, targets, reduction=reduction) * factor
