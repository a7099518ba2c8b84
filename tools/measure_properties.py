"""Measures the lectures' table of properties (L0) for every optimizer, and writes docs/theory/properties.md.

python tools/measure_properties.py
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ravine import Sequential, _core
from ravine.lab import descend
from ravine.lab.descent import Point
from ravine.layers import Dense

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "theory"
# L0, the table before '1. Gradient Descent Optimization': adaptive, consistent units, leaves saddles.
LECTURE = {
    "gradient_descent": ("No", "No", "No"),
    "momentum": ("No", "No", "No"),
    "nesterov": ("No", "No", "No"),
    "adagrad": ("Yes", "No", "Yes"),
    "adadelta": ("Yes", "Yes", "Yes"),
    "rmsprop": ("Yes", "No", "Yes"),
    "adam": ("Yes", "No", "Yes"),
}
FLATTER = 0.01  # a coordinate whose gradient is so many times as steep
UNIT = 10.0  # weights in a unit of which there are so many for one
STEPS = 200  # on the plane
RATES = [10.0 ** (k / 4) for k in range(-12, -3)]
SETTLED, HORIZON = 0.01, 400  # the bowl: so near, and so many steps
SLOWER = 1.25  # rates that rest so many times as late count as equal, and the largest is taken
NEAR, NEARER = 1e-3, 1e-6  # distances from the saddle's ridge
PATIENCE = 2000  # steps, then it counts as stuck; ten times as many by default
CLEAR = 0.1  # of exponents
GROWS = 1.3  # a rule that takes so many times as many steps from NEARER as from NEAR depends on the gradient


@dataclass(frozen=True)
class Properties:
    """What was measured of one optimizer."""

    name: str
    slope_exponent: float  # its steps are proportional to slope^this
    unit_exponent: float  # ... to unit^this
    steps_by_default: int | None  # off a saddle, from NEAR
    rate: float | None
    steps: tuple[int | None, int | None]  # at that rate, from NEAR and from NEARER
    steps_turned: tuple[int | None, int | None]  # where the axes of the saddle are not those of the weights

    @property
    def verdicts(self) -> tuple[str, str, str]:
        """Adaptive, consistent units, leaves saddles."""
        adaptive = "Yes" if abs(self.slope_exponent) < CLEAR else "No"
        consistent = "Yes" if abs(self.unit_exponent - 1) < CLEAR else "No"
        if not easily(self.steps):
            return adaptive, consistent, "No"
        return adaptive, consistent, "Yes" if easily(self.steps_turned) else "Along axes"


def easily(steps: tuple[int | None, int | None]) -> bool:
    """Whether it leaves, and hardly later from where the gradient is a thousand times smaller."""
    near, nearer = steps
    return near is not None and nearer is not None and nearer < GROWS * near


def measure() -> list[Properties]:
    """Every optimizer of the catalog."""
    return [
        by_losses(entry.name) if entry.closure else by_gradients(entry.name)
        for entry in _core.catalog("optimizer")
    ]


# ---- rules that take one gradient a step ----


def by_gradients(name: str, **settings: Any) -> Properties:
    """Measures a rule by its steps on a plane, and at a saddle."""
    rule = {"type": name, **settings}
    step = last_step(rule, [1.0, 1.0])
    rate_name, rate = tuned(rule)
    best = rule if rate is None else {**rule, rate_name: rate}
    return Properties(
        name,
        exponent(last_step(rule, [1.0, FLATTER])[1] / step[1], FLATTER),
        exponent(last_step(rule, [1 / UNIT, 1 / UNIT])[1] / step[1], UNIT),
        leaving(rule, NEAR, 10 * PATIENCE),
        rate,
        (leaving(best, NEAR), leaving(best, NEARER)),
        (leaving_turned(best, NEAR), leaving_turned(best, NEARER)),
    )


def exponent(ratio: float, base: float) -> float:
    return math.log(ratio) / math.log(base)


def last_step(rule: dict[str, Any], slope: list[float]) -> Point:
    """The last of some steps down a plane, after whatever the rule does at first."""
    path = descend(rule, lambda _: slope, [0.0] * len(slope), STEPS)
    return np.asarray(path[-1] - path[-2])


def tuned(rule: dict[str, Any]) -> tuple[str, float | None]:
    """The number that is the rule's step size, and the largest with which it soon rests in x^2 + y^2."""
    name = "initial_step" if rule["type"] == "rprop" else "learning_rate"
    if _core.resolve("optimizer", rule)[name] == 1.0:
        return name, None  # Adadelta's final form has no rate
    steps = {rate: resting({**rule, name: rate}) for rate in RATES}
    return name, max(rate for rate in RATES if steps[rate] <= SLOWER * min(steps.values()))


def resting(rule: dict[str, Any]) -> int:
    """The step after which all points are near the bottom of a bowl."""
    path = descend(rule, lambda w: 2 * w, [1.0, 0.7], HORIZON, until=lambda w: bool(np.abs(w).max() > 1e3))
    away = np.flatnonzero(np.abs(path).max(axis=1) > SETTLED)
    return int(away[-1]) + 1 if len(path) > HORIZON else HORIZON + 1


def leaving(rule: dict[str, Any], offset: float, patience: int = PATIENCE) -> int | None:
    """Steps until it has left x^2 - y^2, from (1, offset)."""
    return first_step(rule, lambda w: w * [2.0, -2.0], [1.0, offset], lambda w: abs(w[1]) >= 1, patience)


def leaving_turned(rule: dict[str, Any], offset: float) -> int | None:
    """The same saddle, turned by half a right angle: 2 x y."""
    start = [(1 + offset) / math.sqrt(2), (1 - offset) / math.sqrt(2)]
    return first_step(rule, lambda w: 2 * w[::-1], start, has_left_turned, PATIENCE)


def has_left_turned(point: Point) -> bool:
    return bool(abs(point[0] - point[1]) >= math.sqrt(2))


def first_step(
    rule: dict[str, Any], gradient: Any, start: list[float], reached: Any, patience: int
) -> int | None:
    path = descend(rule, gradient, start, patience, until=lambda w: bool(reached(w)))
    return len(path) - 1 if reached(path[-1]) else None


# ---- rules that evaluate the loss of all samples: their functions are losses of small networks ----


def by_losses(name: str) -> Properties:
    """Measures a rule by the way it goes in a bowl, and at a saddle, which turning does not change for it."""
    way = bowl(name, 1.0, 1.0)
    left = (saddle(name, NEAR), saddle(name, NEARER))
    return Properties(
        name,
        exponent(abs(bowl(name, FLATTER, 1.0)[1] / way[1]), FLATTER),
        exponent(abs(bowl(name, 1.0, UNIT)[1] / way[1]), UNIT),
        left[0],
        None,
        left,
        left,
    )


def bowl(name: str, flatter: float, unit: float) -> Point:
    """Where ten steps lead in (x^2 + 10 flatter y^2) / 2, weights counted in another unit."""
    inputs = np.diag([1.0, math.sqrt(10 * flatter)]) / unit
    network = Sequential(Dense(1, use_bias=False)).network(
        [2], loss="squared_error", batch_size=2, dtype="float64", threads=1
    )
    network.flat_parameters[...] = start = np.full(2, unit)
    optimizer = _core.Optimizer(name)
    for _ in range(10):
        network.train(optimizer, inputs, np.zeros((2, 1)), batch_size=2)
    return np.asarray(network.flat_parameters - start)


def saddle(name: str, offset: float) -> int | None:
    """Steps until two weights, one behind the other, leave 1 + x y, a hinge whose target is -1."""
    layers = [Dense(1, use_bias=False), Dense(1, use_bias=False)]
    network = Sequential(*layers).network([1], loss="hinge", batch_size=1, dtype="float64", threads=1)
    network.flat_parameters[...] = np.array([1 + offset, 1 - offset]) / math.sqrt(2)
    optimizer = _core.Optimizer(name)
    for step in range(1, 101):
        network.train(optimizer, np.ones((1, 1)), -np.ones((1, 1)), batch_size=1)
        if has_left_turned(network.flat_parameters):
            return step
    return None


# ---- the page ----

COLUMNS = [
    "optimizer", "adaptive", "consistent units", "leaves saddles", "lecture L0", "slope^", "unit^",
    "by default", "rate", "tuned", "turned",
]  # fmt: skip


def row(measured: Properties, name: str = "") -> str:
    """One optimizer as a row of the table."""
    lecture = LECTURE.get(measured.name) if not name else None
    cells = [
        name or f"[{measured.name}](optimizers.md#{measured.name})",
        *measured.verdicts,
        ", ".join(lecture) if lecture else "",
        number(measured.slope_exponent),
        number(measured.unit_exponent),
        count(measured.steps_by_default),
        f"{measured.rate:.3g}" if measured.rate is not None else "",
        " / ".join(map(count, measured.steps)),
        " / ".join(map(count, measured.steps_turned)),
    ]
    return "| " + " | ".join(cells) + " |"


def number(exponent: float) -> str:
    return f"{round(exponent, 2) + 0.0:.2f}"


def count(steps: int | None) -> str:
    return "never" if steps is None else f"{steps:,}"


def table() -> str:
    """All optimizers, and settings that change a verdict."""
    rows = [row(measured) for measured in measure()]
    rows.append(row(by_gradients("adagrad", root=False), "adagrad, `root = false`"))
    rows.append(
        row(by_gradients("adadelta", form="preliminary", learning_rate=0.001), "adadelta, preliminary")
    )
    rows.append(adadelta_in_units())
    head = "| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS)
    return "\n".join([head, *rows]) + "\n"


def adadelta_in_units() -> str:
    """Adadelta whose epsilon is in the units of the squared weights, as no experiment file knows them."""
    steps = [
        last_step({"type": "adadelta", "epsilon": 1e-12 * unit**2}, [1 / unit, 1 / unit])[1]
        for unit in (1.0, UNIT)
    ]
    found = number(exponent(steps[1] / steps[0], UNIT))
    return (
        f"| adadelta, epsilon times unit² | | {'Yes' if found == '1.00' else 'No'} | | | | {found} | | | | |"
    )


def page() -> str:
    template = (FOLDER / "templates" / "properties.md").read_text(encoding="utf-8")
    header = "<!-- Made by `make stubs`, from templates/properties.md and measurements; do not edit. -->\n\n"
    return header + template.replace("<!-- measurements -->\n", table())


if __name__ == "__main__":
    (FOLDER / "properties.md").write_text(page(), encoding="utf-8")
