"""theta <- theta + t z, (H + damping I) z = -g by conjugate gradients: Nocedal and Wright, algorithm 7.1."""

from __future__ import annotations

import numpy as np
from reference.full_batch import STEP, strong_wolfe

CASES = [
    {},
    {"damping": 0.1, "cg_steps": 4},
    {"damping": 0.3, "line_search": "none", "learning_rate": 0.5},
]
WITHOUT_TORCH = "PyTorch has no truncated Newton method"


def step(theta, objective, state, settings, t):
    value, g = objective(theta)
    if np.abs(g).max() <= settings["tolerance"]:
        return theta
    size = np.linalg.norm(g)
    z, r, d = np.zeros_like(g), g.copy(), -g
    for j in range(settings["cg_steps"]):
        h = STEP * max(1.0, np.linalg.norm(theta)) / np.linalg.norm(d)
        Bd = (objective.smooth(theta + h * d) - objective.smooth(theta - h * d)) / (2 * h)  # noqa: N806
        Bd = Bd + settings["damping"] * d  # noqa: N806
        if d @ Bd <= 0:
            z = d if j == 0 else z
            break
        alpha = r @ r / (d @ Bd)
        z = z + alpha * d
        after = r + alpha * Bd
        if np.linalg.norm(after) < min(0.5, np.sqrt(size)) * size:
            break
        d = -after + (after @ after) / (r @ r) * d
        r = after
    length = settings["learning_rate"]
    if settings["line_search"] != "none":
        length, _ = strong_wolfe(objective, theta, z, value, g, length, settings["trials"])
    return theta + length * z
