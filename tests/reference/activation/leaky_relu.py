"""y = x where x > 0, else slope x. A. Maas, A. Hannun, A. Ng, 2013."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"slope": 0.3}, {"slope": 2.0}]


def forward(x, settings):
    return np.where(x > 0.0, x, settings["slope"] * x)


def derivative(x, settings):
    return np.where(x > 0.0, 1.0, settings["slope"])


def torch_equivalent(torch, x, settings):
    return torch.nn.functional.leaky_relu(x, settings["slope"])
