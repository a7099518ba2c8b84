"""y = (f(g v x / |v| + b) - E f(z)) / sqrt(Var f(z)), z ~ N(0, 1)."""

from __future__ import annotations

import numpy as np
from reference.catalog import names, nested

CASES = [
    ({"units": 4}, (6,)),
    *(({"units": 3, "activation": name, "initial_gain": 1.0}, (5,)) for name in names("activation")),
]


def moments(rule, settings):
    """By Gauss-Legendre quadrature on short intervals, between which any kink lies."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    low = np.arange(-12.0, 12.0, 0.25)[:, None]
    z = (low + 0.125 * (nodes + 1.0)).ravel()
    density = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) * np.tile(0.125 * weights, len(low))
    f = rule.forward(z, settings)
    mean = np.sum(density * f)
    return mean, np.sum(density * (f - mean) ** 2)


def forward(x, parameters, settings, mask_key):
    v = parameters["direction"]
    weight = parameters["gain"][:, None] * v / np.linalg.norm(v, axis=1, keepdims=True)
    rule, rule_settings = nested("activation", settings["activation"])
    mean, variance = moments(rule, rule_settings)
    return (rule.forward(x @ weight.T + parameters["bias"], rule_settings) - mean) / np.sqrt(variance)


def torch_equivalent(torch, x, parameters, settings):
    weight = torch._weight_norm(parameters["direction"], parameters["gain"][:, None])
    rule, rule_settings = nested("activation", settings["activation"])
    mean, variance = moments(rule, rule_settings)
    net = torch.nn.functional.linear(x, weight, parameters["bias"])
    return (rule.torch_equivalent(torch, net, rule_settings) - mean) / np.sqrt(variance)
