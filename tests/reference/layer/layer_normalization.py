"""y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over the last axes of each sample."""

from __future__ import annotations

import numpy as np

CASES = [
    ({}, (6,)),
    ({}, (2, 3, 2)),
    ({"axes": 1, "epsilon": 0.1}, (2, 2, 3)),
    ({"axes": 2, "scale": False}, (2, 2, 3)),
    ({"centre": False}, (7,)),
]


def width(chosen, drawn):
    """More than one value to normalize."""
    return drawn + 1


def last_axes(x, settings):
    axes = settings["axes"] or x.ndim - 1
    return tuple(range(x.ndim - axes, x.ndim))


def forward(x, parameters, settings, mask_key):
    axes = last_axes(x, settings)
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    x_hat = (x - mean) / np.sqrt(variance + settings["epsilon"])
    return x_hat * parameters.get("scale", 1.0) + parameters.get("centre", 0.0)


def torch_equivalent(torch, x, parameters, settings):
    shape = [x.shape[axis] for axis in last_axes(x, settings)]
    return torch.nn.functional.layer_norm(
        x, shape, parameters.get("scale"), parameters.get("centre"), settings["epsilon"]
    )
