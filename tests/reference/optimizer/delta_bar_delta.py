"""r <- r + kappa where g agrees with its average, (1 - phi) r where not; theta <- theta - eta r g."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.3, "increase": 0.2, "decrease": 0.5, "decay": 0.3},
    {"learning_rate": 0.1, "decay": 0.0},
]
WITHOUT_TORCH = "PyTorch has no delta-bar-delta"


def step(theta, gradient, state, settings, t):
    g = gradient(theta)
    rate = state["relative_rate"] if t > 1 else np.ones_like(theta)
    average = state["gradient_average"]
    rate = np.where(average * g > 0, rate + settings["increase"], rate)
    rate = np.where(average * g < 0, (1.0 - settings["decrease"]) * rate, rate)
    state["relative_rate"] = rate
    state["gradient_average"] = settings["decay"] * average + (1.0 - settings["decay"]) * g
    return theta - settings["learning_rate"] * rate * g
