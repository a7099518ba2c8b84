"""theta <- theta - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta); biases do not decay."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.01, "weight_decay": 0.3},
    {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01, "weight_decay": 0.0},
]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    v = state["second_moment"] = b2 * state["second_moment"] + (1.0 - b2) * g**2
    m_hat = m / (1.0 - b1**t)
    v_hat = v / (1.0 - b2**t)
    decay = settings["weight_decay"] * settings["decays"] * theta
    return theta - settings["learning_rate"] * (m_hat / (np.sqrt(v_hat) + settings["epsilon"]) + decay)


def torch_equivalent(torch, parameters, settings):
    return torch.optim.AdamW(
        parameters,
        lr=settings["learning_rate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        weight_decay=0.0,
    )
