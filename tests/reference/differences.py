"""Gradients by finite differences, aware of kinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FLOOR = 1e-4  # gradients below it are compared absolutely: rounding in the loss would drown them


def central(function: Callable[[], float], cell: np.ndarray, index: int, h: float) -> float:
    """(-f(x+2h) + 8 f(x+h) - 8 f(x-h) + f(x-2h)) / 12h, of error O(h^4)."""
    before = cell[index]
    values = []
    for offset in (2.0, 1.0, -1.0, -2.0):
        cell[index] = before + offset * h
        values.append(function())
    cell[index] = before
    return (-values[0] + 8.0 * values[1] - 8.0 * values[2] + values[3]) / (12.0 * h)


def numerical_gradient(function: Callable[[], float], cell: np.ndarray) -> np.ndarray:
    """The gradient of `function` with respect to a flat array that it reads; NaN where a kink is too near.

    Differences of two widths agree where the function is smooth between them. Where they do not, the point
    lies within reach of a kink: much narrower ones are tried; if these disagree too, it stays NaN.
    """
    gradient = np.empty(cell.size)
    for index in range(cell.size):
        gradient[index] = np.nan
        for h in (1e-3, 2e-5):
            wide, narrow = central(function, cell, index, h), central(function, cell, index, h / 2)
            if abs(wide - narrow) <= 1e-7 * max(abs(wide), abs(narrow), FLOOR / (1.0 if h > 1e-4 else 0.01)):
                gradient[index] = narrow
                break
    return gradient


def relative_error(analytic: np.ndarray, numerical: np.ndarray) -> float:
    """The largest |a - n| / max(|a|, |n|, floor); at most one value in twenty may lie at a kink."""
    known = ~np.isnan(numerical)
    assert known.mean() > 0.95, "too many points at kinks"
    a, n = analytic[known], numerical[known]
    return float(np.max(np.abs(a - n) / np.maximum(np.maximum(np.abs(a), np.abs(n)), FLOOR), initial=0.0))
