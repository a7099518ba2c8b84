"""y_i = e^x_i / sum_j e^x_j over the last axis."""

from __future__ import annotations

import numpy as np

CASES = [({}, (6,)), ({}, (2, 3, 4)), ({}, (37,))]


def forward(x, parameters, settings, mask_key):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def torch_equivalent(torch, x, parameters, settings):
    return torch.softmax(x, dim=-1)
