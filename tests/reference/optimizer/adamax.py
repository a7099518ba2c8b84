"""u <- max(b2 u, |g| + epsilon), theta <- theta - eta m_hat / u."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.9}, {"learning_rate": 0.01, "epsilon": 0.01}]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    u = np.maximum(b2 * state["largest_gradient"], np.abs(g) + settings["epsilon"])
    state["largest_gradient"] = u
    return theta - settings["learning_rate"] / (1.0 - b1**t) * m / u


def torch_equivalent(torch, parameters, settings):
    betas = (settings["beta1"], settings["beta2"])
    return torch.optim.Adamax(parameters, lr=settings["learning_rate"], betas=betas, eps=settings["epsilon"])
