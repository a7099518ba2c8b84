"""theta <- theta - eta sign(g)."""

from __future__ import annotations

import numpy as np

CASES = [{}, {"learning_rate": 0.02}]
WITHOUT_TORCH = "PyTorch has no descent by signs"


def step(theta, gradient, state, settings, t):
    return theta - settings["learning_rate"] * np.sign(gradient(theta))
