"""J = mean over samples of -sum_j t_j log softmax(z)_j, t = (1 - s) one hot(label) + s / classes."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"label_smoothing": 0.1}, {"label_smoothing": 1.0}]


def targets(generator, rows, shape):
    return generator.integers(0, shape[-1], rows).astype(np.int32)


def smoothed(output, targets, settings):
    classes, smoothing = output.shape[1], settings["label_smoothing"]
    return (1.0 - smoothing) * np.eye(classes)[targets] + smoothing / classes


def shown(output):
    """Probabilities."""
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(output, targets, settings):
    highest = output.max(axis=1)
    log_sum = highest + np.log(np.exp(output - highest[:, None]).sum(axis=1))
    return float(np.mean(log_sum - (smoothed(output, targets, settings) * output).sum(axis=1)))


def gradient(output, targets, settings):
    return (shown(output) - smoothed(output, targets, settings)) / len(output)


def torch_equivalent(torch, output, targets, settings):
    return torch.nn.functional.cross_entropy(
        output, targets.long(), label_smoothing=settings["label_smoothing"]
    )
