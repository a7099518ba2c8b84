"""d grows while g keeps its sign and shrinks where it turns, theta <- theta - sign(g) d."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"initial_step": 0.1, "decrease": 0.3, "increase": 1.5, "smallest_step": 0.01, "largest_step": 0.2},
    {"initial_step": 0.05, "decrease": 0.9},
]
TORCH_DTYPES = ["float64"]  # the last bit of a float32 gradient decides a sign, and so the length of a step


def step(theta, gradient, state, settings, t):
    g = gradient(theta)
    d = state["step_size"] if t > 1 else np.full_like(theta, settings["initial_step"])
    same, turned = g * state["last_gradient"] > 0, g * state["last_gradient"] < 0
    d = np.where(same, d * settings["increase"], np.where(turned, d * settings["decrease"], d))
    d = state["step_size"] = np.clip(d, settings["smallest_step"], settings["largest_step"])
    g = state["last_gradient"] = np.where(turned, 0.0, g)
    return theta - np.sign(g) * d


def torch_equivalent(torch, parameters, settings):
    return torch.optim.Rprop(
        parameters,
        lr=settings["initial_step"],
        etas=(settings["decrease"], settings["increase"]),
        step_sizes=(settings["smallest_step"], settings["largest_step"]),
    )
