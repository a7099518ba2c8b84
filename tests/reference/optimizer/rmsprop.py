"""r <- alpha r + (1 - alpha) g^2, theta <- theta - eta g / sqrt(r + epsilon)."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.01, "epsilon": 1e-6},
    {"learning_rate": 0.02, "decay": 0.6, "epsilon": 0.01},
    {"learning_rate": 0.02, "decay": 0.6, "epsilon": 0.01, "epsilon_position": "outside"},
]


def step(theta, gradient, state, settings, t):
    alpha, epsilon = settings["decay"], settings["epsilon"]
    g = gradient(theta)
    r = state["square_average"] = alpha * state["square_average"] + (1.0 - alpha) * g**2
    inside = settings["epsilon_position"] == "inside"
    return theta - settings["learning_rate"] * g / (np.sqrt(r + epsilon) if inside else np.sqrt(r) + epsilon)


def torch_equivalent(torch, parameters, settings):
    if settings["epsilon_position"] == "inside":
        return None
    return torch.optim.RMSprop(
        parameters, lr=settings["learning_rate"], alpha=settings["decay"], eps=settings["epsilon"]
    )
