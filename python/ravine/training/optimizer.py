"""Optimizers: rules of the catalog, or a user's own rule in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.components import Component
from ravine.errors import InputError

Array = NDArray[np.floating[Any]]
UpdateFunction = Callable[[Array, Array, dict[str, Array], Mapping[str, float], int], None]


def make_optimizer(
    rule: Component | str | _core.Optimizer, *, l2: float = 0.0, clip_norm: float = 0.0
) -> _core.Optimizer:
    """An optimizer from a rule of the catalog.

    Args:
        rule: from `ravine.optimizers`, a catalog name, or an optimizer (returned as it is).
        l2: lambda of lambda/2 sum w^2 over the weights, at least 0.
        clip_norm: largest norm of the whole gradient; 0 does not clip.

    Raises:
        InputError: no such rule, a setting out of range, or `l2` or `clip_norm` beside an optimizer, which
            has its own.

    Example:
        >>> make_optimizer("adam", l2=1e-4).settings["beta1"]
        0.9
    """
    if isinstance(rule, _core.Optimizer):
        for name, value in (("l2", l2), ("clip_norm", clip_norm)):
            if value != 0:
                raise InputError(
                    f"is {value}, but the optimizer is made already; give it where the optimizer is made",
                    key=name,
                )
        return rule
    return _core.Optimizer(rule, l2=l2, clip_norm=clip_norm)


def advice(optimizer: _core.Optimizer, batch_size: int, samples: int) -> list[str]:
    """What a training on so many samples is to be warned of; empty if nothing speaks against it."""
    rule = optimizer.settings["type"]
    full_batch = any(entry.name == rule and entry.full_batch for entry in _core.catalog("optimizer"))
    if not full_batch or batch_size >= samples:
        return []
    return [
        f"{rule} is made for the gradient of all samples: from batch to batch (here {batch_size} of "
        f"{samples} samples) it differs by chance; set batch_size to {samples}, or choose another rule"
    ]


def custom_optimizer(
    function: UpdateFunction,
    *,
    slots: Sequence[str] = (),
    l2: float = 0.0,
    clip_norm: float = 0.0,
    **settings: float,
) -> _core.Optimizer:
    """An optimizer whose rule is a Python function, called once a step by the native loop.

    The function changes the flat parameters in place. It gets views without a copy, valid during the call:
    ``function(parameters, gradients, state, settings, step)``.

    Args:
        function: the rule; `state` has one array, zero at first, for each slot; `step` counts from 1.
        slots: names of state arrays, at most 4; they are saved in checkpoints.
        l2, clip_norm: as in `make_optimizer`; both are applied to the gradients before the call.
        settings: numbers that the rule reads; `learning_rate` is required. All can be scheduled and edited.

    Raises:
        InputError: no `learning_rate`, a setting that is not finite, a negative `l2` or `clip_norm`, or too
            many slots.

    Example:
        >>> def momentum(parameters, gradients, state, settings, step):
        ...     state["velocity"] *= settings["momentum"]
        ...     state["velocity"] += settings["learning_rate"] * gradients
        ...     parameters -= state["velocity"]
        >>> custom_optimizer(momentum, slots=["velocity"], learning_rate=0.1, momentum=0.9).slot_names
        ['velocity']
    """
    for name, value in (("l2", l2), ("clip_norm", clip_norm)):
        if not 0 <= value <= 1e300:
            raise InputError(f"must be at least 0, got {value}", key=name)
    numbers = {name: float(value) for name, value in settings.items()}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise InputError(f"expected a number, got {number}", key=name)
    return _core.custom_rule(function, slots=list(slots), settings=numbers, l2=l2, clip_norm=clip_norm)
