"""m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95},
    {"learning_rate": 0.01, "epsilon": 0.1},
    {"learning_rate": 0.01, "beta1": 0.0},
    {"learning_rate": 0.01, "epsilon": 0.01, "epsilon_position": "inside"},
    {"learning_rate": 0.01, "beta2": 0.99, "epsilon": 1e-7, "correction": "constant"},
    {"learning_rate": 0.01, "epsilon": 0.01, "correction": "none"},
    {"learning_rate": 0.01, "epsilon": 0.01, "correction": "none", "epsilon_position": "inside"},
]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    v = state["second_moment"] = b2 * state["second_moment"] + (1.0 - b2) * g**2
    power = {"standard": t, "constant": 1, "none": np.inf}[settings["correction"]]
    m_hat = m / (1.0 - b1**power)
    v_hat = v / (1.0 - b2**power)
    if settings["epsilon_position"] == "inside":
        return theta - settings["learning_rate"] * m_hat / np.sqrt(v_hat + settings["epsilon"])
    return theta - settings["learning_rate"] * m_hat / (np.sqrt(v_hat) + settings["epsilon"])


def torch_equivalent(torch, parameters, settings):
    if settings["correction"] != "standard" or settings["epsilon_position"] != "outside":
        return None
    betas = (settings["beta1"], settings["beta2"])
    return torch.optim.Adam(parameters, lr=settings["learning_rate"], betas=betas, eps=settings["epsilon"])
