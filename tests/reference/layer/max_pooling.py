"""y[i, j] = max over u, v of x[i s + u - p, j s + v - p]; padding counts as minus infinity."""

from __future__ import annotations

import numpy as np
from reference.layer.convolution import padding_of, torch_padded

CASES = [
    ({}, (4, 4, 2)),
    ({}, (5, 3, 1)),
    ({"size": 3, "stride": 2, "pad": 1}, (4, 5, 2)),
    ({"size": 2, "stride": 1, "padding": "same"}, (3, 2, 3)),
    ({"size": 3, "stride": 1}, (4, 3, 2)),
    ({"size": 1, "stride": 2}, (3, 4, 1)),
]


def windows(x, settings, value):
    """What is under the window at each position: (images, rows, columns, values, channels)."""
    size, stride = settings["size"], settings["stride"] or settings["size"]
    top, bottom, rows = padding_of(x.shape[1], size, settings)
    left, right, columns = padding_of(x.shape[2], size, settings)
    padded = np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)], constant_values=value)
    found = np.empty((len(x), rows, columns, size * size, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            part = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
            found[:, i, j] = part.reshape(len(x), size * size, -1)
    return found


def forward(x, parameters, settings, mask_key):
    return windows(x, settings, -np.inf).max(axis=3)


def torch_equivalent(torch, x, parameters, settings):
    size = settings["size"]
    padded = torch_padded(torch, x, (size, size), settings, value=-torch.inf)
    stride = settings["stride"] or size
    return torch.nn.functional.max_pool2d(padded, size, stride).permute(0, 2, 3, 1)
