"""J = sum_i w_i l_i / sum_i w_i c_label, l = -sum_j c_j t_j log softmax(z)_j.

t = (1 - s) one hot(label) + s / classes; w are weights of samples, c those of classes, 1 where there are
none.
"""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"label_smoothing": 0.1},
    {"label_smoothing": 1.0},
    {"class_weights": [0.5, 2.0, 1.0, 0.0, 3.0]},
    {"class_weights": [0.5, 2.0, 1.0, 0.0, 3.0], "label_smoothing": 0.2},
]
PER_OUTPUT = ("class_weights",)


def targets(generator, rows, shape):
    return generator.integers(0, shape[-1], rows).astype(np.int32)


def class_weights(output, settings):
    return np.array(settings["class_weights"]) if settings["class_weights"] else np.ones(output.shape[1])


def weighted_target(output, targets, settings):
    classes, smoothing = output.shape[1], settings["label_smoothing"]
    target = (1.0 - smoothing) * np.eye(classes)[targets] + smoothing / classes
    return class_weights(output, settings) * target


def shares(output, targets, settings, weights):
    """What the rows' losses are multiplied by."""
    weights = np.ones(len(targets)) if weights is None else weights
    total = np.sum(weights * class_weights(output, settings)[targets])
    return weights / total if total > 0.0 else np.zeros(len(targets))


def shown(output):
    """Probabilities."""
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(output, targets, settings, weights=None):
    highest = output.max(axis=1, keepdims=True)
    logarithms = output - highest - np.log(np.exp(output - highest).sum(axis=1, keepdims=True))
    losses = -np.sum(weighted_target(output, targets, settings) * logarithms, axis=1)
    return float(np.sum(shares(output, targets, settings, weights) * losses))


def gradient(output, targets, settings, weights=None):
    target = weighted_target(output, targets, settings)
    derivative = target.sum(axis=1, keepdims=True) * shown(output) - target
    return shares(output, targets, settings, weights)[:, np.newaxis] * derivative


def torch_equivalent(torch, output, targets, settings, reduction="mean"):
    weights = settings["class_weights"]
    return torch.nn.functional.cross_entropy(
        output,
        targets.long(),
        weight=torch.tensor(weights, dtype=output.dtype) if weights else None,
        label_smoothing=settings["label_smoothing"],
        reduction=reduction,
    )
