"""J = mean of 1/2 d^2 where |d| <= delta, else delta (|d| - delta / 2), d = a - y. P. Huber, 1964."""

from __future__ import annotations

import numpy as np
from reference.weights import mean, of_mean

CASES = [{}, {"delta": 0.2}, {"delta": 3.0}]


def targets(generator, rows, shape):
    return generator.normal(size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings, weights=None):
    distance, delta = np.abs(output - targets), settings["delta"]
    losses = np.where(distance <= delta, 0.5 * distance**2, delta * (distance - 0.5 * delta))
    return mean(losses, weights)


def gradient(output, targets, settings, weights=None):
    return of_mean(np.clip(output - targets, -settings["delta"], settings["delta"]), weights)


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    return torch.nn.functional.huber_loss(output, targets, delta=settings["delta"], reduction=reduction)
