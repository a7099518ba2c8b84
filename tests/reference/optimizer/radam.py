"""Adam times r_t once rho_t > 5, and momentum alone before."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95},
    {"learning_rate": 0.01, "beta2": 0.9, "epsilon": 0.01},
    {"learning_rate": 0.1, "beta2": 0.5},  # never rectified: rho_inf is 3
]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    v = state["second_moment"] = b2 * state["second_moment"] + (1.0 - b2) * g**2
    m_hat = m / (1.0 - b1**t)
    rho_inf = 2.0 / (1.0 - b2) - 1.0
    rho = rho_inf - 2.0 * t * b2**t / (1.0 - b2**t)
    if rho <= 5.0:
        return theta - settings["learning_rate"] * m_hat
    r = np.sqrt((rho - 4.0) * (rho - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho))
    size = (np.sqrt(v) + settings["epsilon"]) / np.sqrt(1.0 - b2**t)
    return theta - settings["learning_rate"] * r * m_hat / size


def torch_equivalent(torch, parameters, settings):
    betas = (settings["beta1"], settings["beta2"])
    return torch.optim.RAdam(parameters, lr=settings["learning_rate"], betas=betas, eps=settings["epsilon"])
