"""y = x where x > 0, else alpha (e^x - 1). D. Clevert, T. Unterthiner, S. Hochreiter, ICLR 2016."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"alpha": 0.3}, {"alpha": 2.5}]


def forward(x, settings):
    return np.where(x > 0.0, x, settings["alpha"] * np.expm1(np.minimum(x, 0.0)))


def derivative(x, settings):
    return np.where(x > 0.0, 1.0, settings["alpha"] * np.exp(np.minimum(x, 0.0)))


def torch_equivalent(torch, x, settings):
    return torch.nn.functional.elu(x, settings["alpha"])
