"""y = [x_1, x_2, ...] along the last axis; in these tests of x and tanh x, see reference.network.build."""

from __future__ import annotations

import numpy as np

JOINS = True
CASES = [({}, (6,)), ({}, (3, 2, 4))]


def forward(x, parameters, settings, mask_key):
    return np.concatenate([x, np.tanh(x)], axis=-1)


def torch_equivalent(torch, x, parameters, settings):
    return torch.cat([x, torch.tanh(x)], dim=-1)
