"""theta <- theta - eta (H + damping I)^-1 g; diagonal: each weight by its own second derivative."""

from __future__ import annotations

import numpy as np
from reference.full_batch import STEP

CASES = [
    {"damping": 0.05, "learning_rate": 0.5},
    {"damping": 0.2},
    {"form": "diagonal", "damping": 0.5, "learning_rate": 0.3},
]
WITHOUT_TORCH = "PyTorch has no Newton's method"


def step(theta, objective, state, settings, t):
    _, g = objective(theta)
    free = np.flatnonzero(np.broadcast_to(objective.free, theta.shape))
    H = np.empty((len(free), len(free)))  # noqa: N806
    for column, i in enumerate(free):
        h = STEP * max(1.0, abs(theta[i]))
        right, left = theta.copy(), theta.copy()
        right[i] += h
        left[i] -= h
        change = objective.smooth(right) - objective.smooth(left)
        H[:, column] = change[free] / (right[i] - left[i])
    if settings["form"] == "diagonal":
        direction = g[free] / (np.diag(H) + settings["damping"])
    else:
        direction = np.linalg.solve((H + H.T) / 2 + settings["damping"] * np.eye(len(free)), g[free])
    theta = theta.copy()
    theta[free] -= settings["learning_rate"] * direction
    return theta
