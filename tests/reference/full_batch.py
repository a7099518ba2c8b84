"""What full-batch optimizers are compared with: the function of all samples, and a line search in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
STEP = np.cbrt(np.finfo(np.float64).eps)  # of central differences


class Objective:
    """J(theta) = loss + l2/2 sum w^2 + l1 sum |w| of a perceptron over some samples; counts its gradients.

    With l2 ||W|| for each matrix W in the form "norm". `free` is 1 where theta may move.
    """

    def __init__(
        self,
        model: Any,
        x: Array,
        y: Array,
        *,
        l2: float = 0.0,
        l2_form: str = "squared",
        l1: float = 0.0,
        free: Array = 1.0,
    ) -> None:
        self.model, self.x, self.y, self.l2, self.l1, self.free = model, x, y, l2, l1, free
        self.places = [slice(at, at + m * n) for at, (m, n) in model.matrices] if l2_form == "norm" else []
        self.evaluations = 0

    def __call__(self, point: Array) -> tuple[float, Array]:
        weights = self.model.decays * self.free * point
        value = self.model.loss(point, self.x, self.y)
        value += self.l1 * np.abs(weights).sum()
        if self.places:
            value += self.l2 * sum(np.linalg.norm(weights[place]) for place in self.places)
        else:
            value += self.l2 / 2 * (weights**2).sum()
        return value, self.smooth(point) + self.l1 * np.sign(weights)

    def smooth(self, point: Array) -> Array:
        """The gradient without that of l1."""
        self.evaluations += 1
        g = self.model.gradient(point, self.x, self.y)
        if not self.places:
            g = g + self.l2 * self.model.decays * point
        for place in self.places:
            norm = np.linalg.norm(point[place])
            g[place] += self.l2 * point[place] / norm if norm > 0 else 0.0
        return g * self.free


def cubic_minimum(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """Of the cubic through two points (t, value, slope): Nocedal and Wright, equation 3.59."""
    (t0, f0, s0), (t1, f1, s1) = sorted((a, b))
    d1 = s0 + s1 - 3 * (f0 - f1) / (t0 - t1)
    square = d1 * d1 - s0 * s1
    if square < 0:
        return (t0 + t1) / 2
    d2 = np.sqrt(square)
    return t1 - (t1 - t0) * (s1 + d2 - d1) / (s1 - s0 + 2 * d2)


def strong_wolfe(
    objective: Callable[[Array], tuple[float, Array]],
    x: Array,
    direction: Array,
    value: float,
    gradient: Array,
    t: float,
    trials: int,
) -> tuple[float, Array]:
    """Step length, and gradient there: Nocedal and Wright, algorithms 3.5, 3.6, with minFunc's safeguards."""

    def phi(t: float) -> tuple[tuple[float, float, float], Array]:
        f, g = objective(x + t * direction)
        return (t, f, g @ direction), g

    slope = gradient @ direction
    start = ((0.0, value, slope), gradient)

    def falls(point: tuple[float, float, float]) -> bool:
        return point[1] <= value + 1e-4 * point[0] * slope

    def flat(point: tuple[float, float, float]) -> bool:
        return abs(point[2]) <= -0.9 * slope

    before, now = start, phi(t)
    bracket = None
    done = 0
    while done < trials:
        (t0, f0, _), (t1, f1, s1) = before[0], now[0]
        if not falls(now[0]) or (done > 1 and f1 >= f0):
            bracket = [before, now]
            break
        if flat(now[0]):
            return t1, now[1]
        if s1 >= 0:
            bracket = [before, now]
            break
        t = np.clip(cubic_minimum(before[0], now[0]), t1 + 0.01 * (t1 - t0), 10 * t1)
        before, now = now, phi(t)
        done += 1
    if bracket is None:
        best = now if now[0][1] < value else start
        return best[0][0], best[1]
    low, high = sorted(bracket, key=lambda end: end[0][1])
    was_near = False
    while done < trials and abs(high[0][0] - low[0][0]) * np.abs(direction).max() >= 1e-9:
        left, right = sorted((low[0][0], high[0][0]))
        t = np.clip(cubic_minimum(low[0], high[0]), left, right)
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (was_near or not left < t < right):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        was_near = near
        now = phi(t)
        done += 1
        if not falls(now[0]) or now[0][1] >= low[0][1]:
            low, high = sorted((low, now), key=lambda end: end[0][1])
            continue
        if flat(now[0]):
            low = now
            break
        if now[0][2] * (high[0][0] - low[0][0]) >= 0:
            high = low
        low = now
    return low[0][0], low[1]
