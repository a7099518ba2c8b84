"""y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e): moments of the batch, or moving averages."""

from __future__ import annotations

import numpy as np

CASES = [
    ({}, (6,)),
    ({"epsilon": 0.1, "momentum": 0.5}, (2, 2, 3)),
    ({"scale": False}, (5,)),
    ({"centre": False}, (3, 4)),
    ({"scale": False, "centre": False}, (5,)),
]
LEAST_ROWS = 2


def forward(x, parameters, settings, mask_key):
    if mask_key is None:
        mean, variance = parameters["moving_mean"], parameters["moving_variance"]
    else:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    x_hat = (x - mean) / np.sqrt(variance + settings["epsilon"])
    return x_hat * parameters.get("scale", 1.0) + parameters.get("centre", 0.0)


def torch_equivalent(torch, x, parameters, settings):
    channels_first = torch.movedim(x, -1, 1)
    y = torch.nn.functional.batch_norm(
        channels_first,
        None,
        None,
        parameters.get("scale"),
        parameters.get("centre"),
        training=True,
        eps=settings["epsilon"],
    )
    return torch.movedim(y, 1, -1)
