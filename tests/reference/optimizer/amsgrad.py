"""v_max <- max(v_max, v), theta <- theta - eta m_hat / (sqrt(v_max_hat) + epsilon)."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.5},  # forgets fast: the largest v is an old one
    {"learning_rate": 0.01, "beta2": 0.6, "epsilon": 0.01, "correction": "none"},
]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    v = state["second_moment"] = b2 * state["second_moment"] + (1.0 - b2) * g**2
    v_max = state["largest_second_moment"] = np.maximum(state["largest_second_moment"], v)
    if settings["correction"] == "standard":
        m = m / (1.0 - b1**t)
        v_max = v_max / (1.0 - b2**t)
    return theta - settings["learning_rate"] * m / (np.sqrt(v_max) + settings["epsilon"])


def torch_equivalent(torch, parameters, settings):
    if settings["correction"] != "standard":
        return None
    return torch.optim.Adam(
        parameters,
        lr=settings["learning_rate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        amsgrad=True,
    )
