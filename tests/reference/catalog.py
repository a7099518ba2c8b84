"""Finds the NumPy reference of a catalog entry: tests/reference/KIND/NAME.py, written from the formula.

activation   CASES (settings), forward(x, settings), derivative(x, settings)
loss         CASES, targets(generator, rows, shape), loss(output, targets, settings, weights=None),
             gradient(...), shown(output); accuracy(output, targets) where yes or no is the question;
             PER_OUTPUT: settings with a number for each output, see `fitted`; torch_equivalent(...,
             reduction="mean")
layer        CASES (pairs of settings and input shape), forward(x, parameters, settings, mask_key), where
             parameters holds the state too; LEAST_ROWS of a training batch; width(settings, drawn): a last
             extent that fits the settings
initializer  CASES, distribution(settings, fan_in, fan_out) -> ("constant", c) | ("uniform", low, high) |
             ("normal", mean, deviation) | ("truncated_normal", mean, deviation, low, high); where the whole
             tensor is rearranged: arrange(draws, settings)
optimizer    CASES, step(theta, gradient, state, settings, t) -> theta; `gradient` is a function of the point
             (of an entry with `closure` an Objective of reference/full_batch.py);
             settings["decays"] is 1 for weights and 0 for biases, settings["matrices"] lists where each
             weight begins and its shape
schedule     CASES, value(base, t, settings, length, step) -> value; `length` is that of the run, `step` that
             of one step, in the unit of t; what waits for measurements: driven(base, metrics, settings)
All also name PyTorch's equivalent, torch_equivalent(torch, ...), or
say why there is none: WITHOUT_TORCH = "reason". An optimizer's gives None for settings PyTorch does not know.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ravine import _core

FOLDER = Path(__file__).parent


def reference(kind: str, name: str) -> ModuleType:
    """The reference module of a catalog entry; fails the test where there is none."""
    if not (FOLDER / kind / f"{name}.py").is_file():
        pytest.fail(f"the {kind} '{name}' has no NumPy reference: add tests/reference/{kind}/{name}.py")
    return importlib.import_module(f"reference.{kind}.{name}")


def names(kind: str) -> list[str]:
    """The catalog's names of a kind."""
    return [entry.name for entry in _core.catalog(kind)]


def optimizers(*, closure: bool = False) -> list[str]:
    """The optimizers that take a step by one gradient, or those that ask for several of all samples."""
    return [entry.name for entry in _core.catalog("optimizer") if entry.closure == closure]


def resolved(kind: str, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the catalog's defaults filled in."""
    return dict(_core.resolve(kind, {"type": name, **settings}))


def fitted(kind: str, name: str, settings: dict[str, Any], outputs: int) -> dict[str, Any]:
    """The settings for a network of so many outputs: lists of a number an output are repeated to that length.

    One number for all stays alone.
    """
    lists = [
        key for key in getattr(reference(kind, name), "PER_OUTPUT", ()) if len(settings.get(key, ())) > 1
    ]
    return settings | {key: np.resize(settings[key], outputs).tolist() for key in lists}


def nested(kind: str, component: str | dict[str, Any]) -> tuple[ModuleType, dict[str, Any]]:
    """The reference and the full settings of a component inside another one's settings."""
    table = {"type": component} if isinstance(component, str) else dict(component)
    name = table.pop("type")
    return reference(kind, name), resolved(kind, name, table)
