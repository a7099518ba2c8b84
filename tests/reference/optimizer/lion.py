"""theta <- theta - eta (sign(b1 m + (1 - b1) g) + lambda theta), then m <- b2 m + (1 - b2) g."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.01, "beta1": 0.7, "beta2": 0.8},
    {"learning_rate": 0.005, "weight_decay": 0.4},
]
WITHOUT_TORCH = "PyTorch has no Lion"


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    direction = np.sign(b1 * state["gradient_average"] + (1.0 - b1) * g)
    state["gradient_average"] = b2 * state["gradient_average"] + (1.0 - b2) * g
    decay = settings["weight_decay"] * settings["decays"] * theta
    return theta - settings["learning_rate"] * (direction + decay)
