"""Smoothing against the formula, written out over all records of the past."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.gui.state.smoothing import Smoother, Smoothing


def reference(values: np.ndarray, kind: str, span: int) -> np.ndarray:
    found = []
    for end in range(1, len(values) + 1):
        past = values[:end]
        if kind == "exponential":
            weights = (1 - 2 / (span + 1)) ** np.arange(end - 1, -1, -1.0)
            there = np.isfinite(past)
            found.append(
                np.sum(weights[there] * past[there]) / np.sum(weights[there]) if there.any() else np.nan
            )
        else:
            window = past[-span:]
            window = window[np.isfinite(window)]
            middle = np.mean if kind == "mean" else np.median
            found.append(middle(window) if len(window) else np.nan)
    return np.array(found)


@pytest.mark.parametrize("kind", ["exponential", "mean", "median"])
@pytest.mark.parametrize("span", [2, 3, 8, 50])
@pytest.mark.parametrize("broken", [False, True])
def test_the_formula(kind, span, broken):
    random = np.random.default_rng(span)
    values = random.normal(1000.0, 1.0, 400)
    if broken:
        values[random.integers(0, 400, 60)] = np.nan
        values[[0, 1, 2, 100]] = [np.inf, np.nan, -np.inf, np.inf]
    expected = reference(values, kind, span)
    np.testing.assert_allclose(Smoother(Smoothing(kind, span)).extend(values), expected, rtol=1e-9)
    # In pieces, as records arrive.
    smoother = Smoother(Smoothing(kind, span))
    pieces = [smoother.extend(part) for part in np.split(values, [1, 2, 5, 6, 90, 91, 300])]
    np.testing.assert_allclose(np.concatenate(pieces), expected, rtol=1e-9)


def test_no_smoothing_gives_the_values():
    values = np.array([1.0, np.nan, 3.0])
    for smoothing in (Smoothing("off", 20), Smoothing("mean", 1)):
        np.testing.assert_array_equal(Smoother(smoothing).extend(values), values)


def test_all_values_are_broken():
    for kind in ("exponential", "mean", "median"):
        assert np.isnan(Smoother(Smoothing(kind, 3)).extend(np.full(5, np.nan))).all()
