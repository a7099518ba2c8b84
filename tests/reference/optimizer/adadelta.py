"""dtheta = -RMS[dtheta] / RMS[g] g with RMS[x] = sqrt(E[x^2] + epsilon); preliminary: -eta / RMS[g] g."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"decay": 0.7, "epsilon": 0.01},
    {"learning_rate": 0.5, "epsilon": 0.001},
    {"form": "preliminary", "learning_rate": 0.01, "epsilon": 0.001},
]


def step(theta, gradient, state, settings, t):
    gamma, epsilon = settings["decay"], settings["epsilon"]
    g = gradient(theta)
    squares = state["square_average"] = gamma * state["square_average"] + (1.0 - gamma) * g**2
    before = np.sqrt(state["step_average"] + epsilon) if settings["form"] == "final" else 1.0
    change = -before / np.sqrt(squares + epsilon) * g
    state["step_average"] = gamma * state["step_average"] + (1.0 - gamma) * change**2
    return theta + settings["learning_rate"] * change


def torch_equivalent(torch, parameters, settings):
    if settings["form"] != "final":
        return None
    return torch.optim.Adadelta(
        parameters, lr=settings["learning_rate"], rho=settings["decay"], eps=settings["epsilon"]
    )
