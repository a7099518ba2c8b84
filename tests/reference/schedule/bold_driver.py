"""eta <- a eta after an epoch in which the training loss fell, eta <- b eta after one in which it rose."""

from __future__ import annotations

import itertools

CASES = [{}, {"increase": 1.1, "decrease": 0.7, "minimum": 0.1}]
WITHOUT_TORCH = "PyTorch has no bold driver"


def value(base, t, settings, length, step):
    return base  # by time alone nothing changes


def driven(base, losses, settings):
    """The value after each epoch."""
    values = [base]
    for before, loss in itertools.pairwise(losses):
        value = values[-1]
        if loss < before:
            value *= settings["increase"]
        elif loss > before:
            value = min(value, max(value * settings["decrease"], settings["minimum"]))
        values.append(value)
    return values
