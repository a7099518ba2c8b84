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
from ravine.experiment import CUSTOM
from ravine.groups import checked_groups, refuse_groups

Array = NDArray[np.floating[Any]]
UpdateFunction = Callable[[Array, Array, dict[str, Array], Mapping[str, float], int], None]


def make_optimizer(
    rule: Component | str | _core.Optimizer,
    *,
    l2: float = 0.0,
    l2_form: str = "squared",
    l1: float = 0.0,
    l1_form: str = "subgradient",
    clip_value: float = 0.0,
    clip_layer_norm: float = 0.0,
    clip_norm: float = 0.0,
    max_norm: float = 0.0,
    groups: Sequence[Mapping[str, Any]] = (),
) -> _core.Optimizer:
    """An optimizer from a rule of the catalog.

    Args:
        rule: from `ravine.optimizers`, a catalog name, or an optimizer (returned as it is).
        l2: lambda of the L2 penalty over the weights, at least 0.
        l2_form: "squared" is lambda/2 sum w^2; "norm" is lambda ||W||_2 for each weight tensor, with the
            gradient lambda W / ||W||_2 (0 at W = 0), taken where that of the loss is.
        l1: lambda of lambda sum |w| over the weights, at least 0.
        l1_form: "subgradient" adds lambda sign(w) to the gradient; "proximal" is a soft threshold of learning
            rate times lambda after the update, which makes exact zeros.
        clip_value, clip_layer_norm, clip_norm: largest magnitude of an element of the gradient, norm of each
            layer's and norm of the whole; 0 does not clip. Layers come first, elements last.
        max_norm: largest norm of the weights into each unit, kept after the update; 0 has no limit.
        groups: tables with "match", a pattern of names of parameters ("dense_1.*"), and any of
            "learning_rate" (a factor of the rule's), "l2" (instead of the one above), "weight_decay" (instead
            of the rule's, of adamw, lion and muon) and "freeze". The first that matches a parameter holds
            for it.

    Raises:
        InputError: no such rule, a setting out of range or that the rule does not know, or regularization
            beside an optimizer, which has its own. When it is attached to a network: a group that matches no
            parameter.

    Example:
        >>> make_optimizer("adam", l2=1e-4).settings["beta1"]
        0.9
    """
    numbers = {
        "l2": l2, "l1": l1, "clip_value": clip_value, "clip_layer_norm": clip_layer_norm,
        "clip_norm": clip_norm, "max_norm": max_norm,
    }  # fmt: skip
    if isinstance(rule, _core.Optimizer):
        if rule.settings["type"] == CUSTOM:
            refuse_groups(groups)
        others = {
            "l2_form": l2_form != "squared" and l2_form,
            "l1_form": l1_form != "subgradient" and l1_form,
            "groups": list(groups),
        }
        for name, value in {**numbers, **others}.items():
            if value:
                raise InputError(
                    f"is {value}, but the optimizer is made already; give it where the optimizer is made",
                    key=name,
                )
        return rule
    return _core.Optimizer(rule, l2_form=l2_form, l1_form=l1_form, groups=checked_groups(groups), **numbers)


def advice(
    optimizer: _core.Optimizer, batch_size: int, samples: int, *, resamples: bool = False
) -> list[str]:
    """What a training on so many samples is to be warned of; empty if nothing speaks against it.

    Args:
        optimizer: that trains.
        batch_size, samples: of a step, and in all.
        resamples: whether an epoch may have some samples twice and others not.

    Raises:
        InputError: the rule takes nothing less than all samples, each once.
    """
    rule = optimizer.settings["type"]
    entry = next((entry for entry in _core.catalog("optimizer") if entry.name == rule), None)
    if entry is not None and entry.closure and resamples:
        raise InputError(
            f"{rule} compares the loss of the same samples from step to step, and this sampler visits others "
            'each epoch; use "shuffle" or "sequential", or choose another rule',
            key="sampler",
        )
    if entry is None or batch_size >= samples:
        return []
    if entry.closure:
        raise InputError(
            f"{rule} compares the loss of all samples at several points, and the loss of {batch_size} of "
            f"{samples} samples differs from step to step; "
            f'set batch_size to "all" (here {samples}), or choose another rule',
            key="batch_size",
        )
    if not entry.full_batch:
        return []
    return [
        f"{rule} is made for the gradient of all samples: from batch to batch (here {batch_size} of "
        f'{samples} samples) it differs by chance; set batch_size to "all", or choose another rule'
    ]


def custom_optimizer(
    function: UpdateFunction,
    *,
    slots: Sequence[str] = (),
    l2: float = 0.0,
    l2_form: str = "squared",
    l1: float = 0.0,
    l1_form: str = "subgradient",
    clip_value: float = 0.0,
    clip_layer_norm: float = 0.0,
    clip_norm: float = 0.0,
    max_norm: float = 0.0,
    **settings: float,
) -> _core.Optimizer:
    """An optimizer whose rule is a Python function, called once a step by the native loop.

    The function changes the flat parameters in place. It gets views without a copy, valid during the call; of
    a GPU copies, which go to the host and back in each step, slowly where the network is large:
    ``function(parameters, gradients, state, settings, step)``.

    Args:
        function: the rule; `state` has one array, zero at first, for each slot; `step` counts from 1.
        slots: names of state arrays, at most 4; they are saved in checkpoints.
        l2, l2_form, l1, l1_form, clip_value, clip_layer_norm, clip_norm, max_norm: as in `make_optimizer`;
            what concerns gradients is applied to them before the call.
        settings: numbers that the rule reads; `learning_rate` is required. All can be scheduled and edited.

    Raises:
        InputError: no `learning_rate`, a setting that is not finite, negative regularization, or too many
            slots; groups, which a rule in Python cannot have: it changes all parameters itself.

    Example:
        >>> def momentum(parameters, gradients, state, settings, step):
        ...     state["velocity"] *= settings["momentum"]
        ...     state["velocity"] += settings["learning_rate"] * gradients
        ...     parameters -= state["velocity"]
        >>> custom_optimizer(momentum, slots=["velocity"], learning_rate=0.1, momentum=0.9).slot_names
        ['velocity']
    """
    regularization = {
        "l2": l2, "l1": l1, "clip_value": clip_value, "clip_layer_norm": clip_layer_norm,
        "clip_norm": clip_norm, "max_norm": max_norm,
    }  # fmt: skip
    for name, value in regularization.items():
        if not 0 <= value <= 1e300:
            raise InputError(f"must be at least 0, got {value}", key=name)
    given: Any = settings.get("groups")
    if isinstance(given, Sequence):
        refuse_groups(given)
    numbers = {name: float(value) for name, value in settings.items()}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise InputError(f"expected a number, got {number}", key=name)
    return _core.custom_rule(
        function, slots=list(slots), settings=numbers, l2_form=l2_form, l1_form=l1_form, **regularization
    )
