"""G = the sum of the last w squared gradients, theta <- theta - eta g / sqrt(G + epsilon)."""

from __future__ import annotations

import numpy as np

CASES = [{}, *({"window": window, "learning_rate": 0.02, "epsilon": 0.001} for window in (1, 2, 3, 4))]
WITHOUT_TORCH = "PyTorch has only the running average"


def step(theta, gradient, state, settings, t):
    g = gradient(theta)
    squares = [g**2, *(state[f"square_{ago}_ago"] for ago in (1, 2, 3))]
    for ago in (1, 2, 3):
        state[f"square_{ago}_ago"] = squares[ago - 1]
    G = np.sum(squares[: settings["window"]], axis=0)  # noqa: N806
    return theta - settings["learning_rate"] * g / np.sqrt(G + settings["epsilon"])
