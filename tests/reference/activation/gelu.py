"""y = x Phi(x), Phi the normal distribution function, or its approximation by tanh.

D. Hendrycks, K. Gimpel, "Gaussian error linear units", 2016.
"""

from __future__ import annotations

import math

import numpy as np

CASES = [{}, {"approximate": "tanh"}]


def phi(x):
    return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in np.ravel(x)]).reshape(np.shape(x))


def inner(x):
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)


def forward(x, settings):
    if settings["approximate"] == "tanh":
        return 0.5 * x * (1.0 + np.tanh(inner(x)))
    return x * phi(x)


def derivative(x, settings):
    if settings["approximate"] == "tanh":
        slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * x**2)
        tanh = np.tanh(inner(x))
        return 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh**2) * slope
    return phi(x) + x * np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)


def torch_equivalent(torch, x, settings):
    return torch.nn.functional.gelu(x, approximate=settings["approximate"])
