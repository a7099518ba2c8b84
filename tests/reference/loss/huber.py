"""J = mean of 1/2 d^2 where |d| <= delta, else delta (|d| - delta / 2), d = a - y. P. Huber, 1964."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"delta": 0.2}, {"delta": 3.0}]


def targets(generator, rows, shape):
    return generator.normal(size=(rows, *shape))


def shown(output):
    return output


def loss(output, targets, settings):
    distance, delta = np.abs(output - targets), settings["delta"]
    return float(np.mean(np.where(distance <= delta, 0.5 * distance**2, delta * (distance - 0.5 * delta))))


def gradient(output, targets, settings):
    return np.clip(output - targets, -settings["delta"], settings["delta"]) / output.size


def torch_equivalent(torch, output, targets, settings):
    return torch.nn.functional.huber_loss(output, targets, delta=settings["delta"])
