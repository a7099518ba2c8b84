"""theta <- theta - t H g, H by the BFGS formula from the last m pairs, applied to a scaled identity."""

from __future__ import annotations

import numpy as np
from reference.full_batch import strong_wolfe

CASES = [
    {},
    {"history": 3},
    {"learning_rate": 0.4, "trials": 4, "least_descent": 1e-6},
    {"history": 2, "line_search": "none", "learning_rate": 0.5},
]


def step(theta, objective, state, settings, t):
    m, eta = settings["history"], settings["learning_rate"]
    value, g = objective(theta)
    if np.abs(g).max() <= settings["tolerance"]:
        return theta
    pairs = [(state[f"step_{i}"], state[f"change_{i}"]) for i in range(1, m + 1)]
    pairs = [(s, y) for s, y in pairs if y @ s > 0]
    direction, first = -g, eta * min(1.0, 1.0 / np.abs(g).sum())
    if pairs:
        s, y = pairs[0]
        H = np.eye(len(theta)) * (s @ y) / (y @ y)  # noqa: N806
        for s, y in reversed(pairs):
            V = np.eye(len(theta)) - np.outer(y, s) / (y @ s)  # noqa: N806
            H = V.T @ H @ V + np.outer(s, s) / (y @ s)  # noqa: N806
        direction, first = -H @ g, eta
    if g @ direction > -settings["least_descent"]:
        return theta
    if settings["line_search"] == "none":
        length, after = first, objective(theta + first * direction)[1]
    else:
        length, after = strong_wolfe(objective, theta, direction, value, g, first, settings["trials"])
    if length == 0:
        state.update({name: np.zeros_like(theta) for name in state})
        return theta
    s, y = length * direction, after - g
    if y @ s > 1e-10:
        for i in range(m, 1, -1):
            state[f"step_{i}"], state[f"change_{i}"] = state[f"step_{i - 1}"], state[f"change_{i - 1}"]
        state["step_1"], state["change_1"] = s, y
    return theta + s


def torch_equivalent(torch, parameters, settings):
    if settings["line_search"] == "none":
        return None  # PyTorch's pairs are then one step late
    return torch.optim.LBFGS(
        parameters,
        lr=settings["learning_rate"],
        max_iter=1,
        max_eval=settings["trials"] + 1,
        tolerance_change=settings["least_descent"],
        tolerance_grad=settings["tolerance"],
        history_size=settings["history"],
        line_search_fn="strong_wolfe",
    )
