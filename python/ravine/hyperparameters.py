"""The numbers of a training that schedules and live edits may change, and their limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ravine import _core
from ravine.components import Component
from ravine.errors import InputError

REGULARIZATION = _core.REGULARIZATION  # at least 0; the others have the limits of the catalog


def hyperparameters(settings: Mapping[str, Any]) -> list[str]:
    """Names of what can change while an optimizer with these settings works.

    Example:
        >>> hyperparameters({"type": "momentum", "learning_rate": 0.1, "momentum": 0.9, "damped": False})[:3]
        ['learning_rate', 'momentum', 'l2']
    """
    return [*(name for name, value in settings.items() if isinstance(value, float)), *REGULARIZATION]


def check_hyperparameter(name: str, settings: Mapping[str, Any]) -> None:
    """Raises InputError, with the name that may have been meant, where an optimizer has no such number."""
    known = hyperparameters(settings)
    if name not in known:
        near = _core.closest(name, known)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(known)}"
        raise InputError(f"{settings['type']} has no such number; {hint}", key=name)


def resolved_schedule(name: str, schedule: Component | str, settings: Mapping[str, Any]) -> Component:
    """A schedule for a hyperparameter, checked and with its defaults.

    Args:
        name: of the hyperparameter.
        schedule: a table with a "type" of the catalog, or a bare name.
        settings: resolved, of the optimizer.

    Raises:
        InputError: no such hyperparameter or schedule, or a setting out of range; the key starts with `name`.

    Example:
        >>> resolved_schedule("momentum", "cosine", {"type": "momentum", "momentum": 0.9})["duration"]
        0.0
    """
    check_hyperparameter(name, settings)
    try:
        resolved: Component = _core.resolve("schedule", schedule)
    except InputError as error:
        key = f"{name}.{error.key}" if error.key and error.key != "schedule" else name
        raise InputError(error.message, key=key) from None
    return resolved


def check_limits(name: str, settings: Mapping[str, Any], lowest: float, highest: float) -> None:
    """Raises InputError unless a hyperparameter may have all values from `lowest` to `highest`.

    Example:
        >>> check_limits("momentum", {"type": "momentum", "momentum": 0.9}, 0.5, 0.9)
    """
    for value in (lowest, highest):
        if not math.isfinite(value):
            raise InputError(f"must be finite, got {value}", key=name)
        if name in REGULARIZATION:
            if value < 0:
                raise InputError(f"must be at least 0, got {value:g}", key=name)
            continue
        for entry in _core.catalog("optimizer"):
            if entry.name != settings["type"]:
                continue
            limits = next(each for each in entry.parameters if each.name == name)
            above = value >= limits.minimum if limits.minimum_included else value > limits.minimum
            below = value <= limits.maximum if limits.maximum_included else value < limits.maximum
            if not (above and below):
                raise InputError(f"must be {limits.range}, got {value:g}", key=name)


def check_decay(decay: float, key: str = "average_weights") -> float:
    """Raises InputError unless a moving average of the weights can have this decay; 0 is for none.

    Example:
        >>> check_decay(0.999)
        0.999
    """
    if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0 <= decay < 1:
        raise InputError(
            f"must be at least 0 and below 1, got {decay!r}; at 1 an average would never take the weights of "
            "another step in",
            key=key,
        )
    return float(decay)
