"""y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over a group of channels of a sample."""

from __future__ import annotations

import numpy as np

CASES = [
    ({"groups": 2}, (6,)),
    ({"groups": 1, "epsilon": 0.1}, (5,)),
    ({"groups": 3}, (2, 2, 3)),
    ({"groups": 2, "scale": False}, (3, 4)),
    ({"groups": 2, "centre": False}, (2, 1, 4)),
]


def width(chosen, drawn):
    """Channels that the groups divide, and more than one value a group."""
    return chosen["groups"] * (drawn + 1)


def forward(x, parameters, settings, mask_key):
    grouped = x.reshape(len(x), -1, settings["groups"], x.shape[-1] // settings["groups"])
    mean, variance = grouped.mean(axis=(1, 3), keepdims=True), grouped.var(axis=(1, 3), keepdims=True)
    x_hat = ((grouped - mean) / np.sqrt(variance + settings["epsilon"])).reshape(x.shape)
    return x_hat * parameters.get("scale", 1.0) + parameters.get("centre", 0.0)


def torch_equivalent(torch, x, parameters, settings):
    # Scaled outside: PyTorch 2.13 fails with a bias but no weight, and where x needs no gradient.
    y = torch.nn.functional.group_norm(torch.movedim(x, -1, 1), settings["groups"], eps=settings["epsilon"])
    return torch.movedim(y, 1, -1) * parameters.get("scale", 1.0) + parameters.get("centre", 0.0)
