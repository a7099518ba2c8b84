"""G <- G + g^2, theta <- theta - eta g / sqrt(G + epsilon)."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.1, "epsilon": 0.01},
    {"learning_rate": 0.1, "epsilon": 0.01, "epsilon_position": "outside"},
    {"learning_rate": 0.05, "epsilon": 0.01, "root": False},
]


def step(theta, gradient, state, settings, t):
    g = gradient(theta)
    G = state["sum_of_squares"] = state["sum_of_squares"] + g**2  # noqa: N806
    epsilon = settings["epsilon"]
    if not settings["root"]:
        denominator = G + epsilon
    elif settings["epsilon_position"] == "inside":
        denominator = np.sqrt(G + epsilon)
    else:
        denominator = np.sqrt(G) + epsilon
    return theta - settings["learning_rate"] * g / denominator


def torch_equivalent(torch, parameters, settings):
    if not settings["root"]:
        return None
    inside = settings["epsilon_position"] == "inside"
    return torch.optim.Adagrad(
        parameters,
        lr=settings["learning_rate"],
        initial_accumulator_value=settings["epsilon"] if inside else 0.0,
        eps=0.0 if inside else settings["epsilon"],
    )
