"""Targets of regressions, and errors in original units, against scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.data import Dataset, DataSettings, Transform, load
from ravine.data.targets import RegressionErrors, check_targets, fit_targets, restored, transformed
from ravine.errors import InputError

metrics = pytest.importorskip("sklearn.metrics")
RANDOM = np.random.default_rng(8)
TARGETS = RANDOM.normal(size=(70, 3)) * [1.0, 1e3, 1e-4] + [0.0, 1e5, 3.0]


def truth(targets: Any, predictions: Any) -> dict[str, float]:
    return {
        "rmse": metrics.root_mean_squared_error(targets, predictions),
        "mae": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
    }


@given(st.integers(2, 60), st.integers(1, 3), st.integers(1, 20), st.integers(0, 1000))
def test_errors_are_scikit_learns(count: int, outputs: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    targets = random.normal(size=(count, outputs)) * 7
    predictions = targets + random.normal(size=(count, outputs))
    if seed % 5 == 0:
        targets[:, 0] = 3.0
    if seed % 10 == 0:
        predictions[:, 0] = 3.0
    errors = RegressionErrors(targets)
    for begin in range(0, count, size):
        errors.add(begin, predictions[begin : begin + size])
    found, expected = errors.metrics(), truth(targets, predictions)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["standardize", "min_max"])
def test_targets_are_scaled_and_errors_are_in_original_units(kind: Any) -> None:
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    scaler = (StandardScaler() if kind == "standardize" else MinMaxScaler()).fit(TARGETS[:50])
    transform = fit_targets(kind, TARGETS[:50])
    assert transform is not None
    small = transformed(transform, TARGETS, np.float64)
    np.testing.assert_allclose(small, scaler.transform(TARGETS), rtol=1e-9, atol=1e-9)
    outputs = small + RANDOM.normal(size=small.shape) * 0.1
    np.testing.assert_allclose(restored(transform, outputs), scaler.inverse_transform(outputs), rtol=1e-12)
    errors = RegressionErrors(small, transform)
    errors.add(0, outputs[:33])
    errors.add(33, outputs[33:])
    expected = truth(TARGETS, scaler.inverse_transform(outputs))
    for name, value in errors.metrics().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9)


def test_nothing_is_done_to_targets_unless_asked() -> None:
    assert fit_targets("none", TARGETS) is None
    assert transformed(None, TARGETS, np.float32).dtype == np.float32
    np.testing.assert_array_equal(restored(None, TARGETS), TARGETS)


def test_losses_see_scaled_targets_and_parts_know_their_scale() -> None:
    data = Dataset(RANDOM.normal(size=(70, 4)), TARGETS)
    fields = {
        "source": "arrays", "target_preprocessing": "standardize", "split": {"test_count": 20, "seed": 2},
    }  # fmt: skip
    parts = load(msgspec.convert(fields, DataSettings), Path(), train=data, dtype=np.float64)
    np.testing.assert_allclose(parts.train.targets.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(parts.train.targets.std(0), 1, rtol=1e-12)
    assert parts.test is not None
    assert parts.test.target_transform is parts.target_transform is parts.train.target_transform
    back = restored(parts.target_transform, parts.test.targets)
    assert {tuple(row) for row in back.round(9)} < {tuple(row) for row in TARGETS.round(9)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            Dataset(np.zeros((4, 1)), np.array([0, 1, 0, 1], np.int32), 2),
            "belongs to regression, but the",
        ),
        (
            Dataset(np.zeros((4, 1)), np.array([[1.0, 2.5], [2.0, 2.5], [1.0, 2.5], [1.0, 2.5]])),
            "target 1 is 2.5 in every training sample: it cannot be brought to a scale",
        ),
    ],
)
def test_targets_that_cannot_be_scaled(data: Dataset, message: str) -> None:
    settings = DataSettings(source="arrays", preprocessing="none", target_preprocessing="standardize")
    with pytest.raises(InputError) as caught:
        load(settings, Path(), train=data)
    assert str(caught.value).startswith(f"data.target_preprocessing: {message}")


@pytest.mark.parametrize("targets", [np.full((5, 1), 2.0), np.full(5, 2, np.int32)])
def test_targets_that_are_all_the_same(targets: Any, tmp_path: Path) -> None:
    classes = 0 if targets.ndim == 2 else 3
    np.savez(tmp_path / "flat.npz", inputs=np.arange(5.0), targets=targets)
    with pytest.raises(InputError) as caught:
        load(DataSettings(source="npz", file="flat.npz", classes=classes), tmp_path)
    what = "label 2" if classes else "target [2.0]"
    assert str(caught.value) == (
        f"{tmp_path}/flat.npz: data: all 5 samples have the {what}: there is nothing to tell apart"
    )


def test_a_transform_that_is_none_of_targets_is_refused() -> None:
    for transform in (
        Transform("pca", np.zeros(2), np.ones(2), np.eye(2)),
        Transform("standardize", np.zeros((2, 2)), np.ones((2, 2))),
    ):
        with pytest.raises(InputError, match="target_preprocessing: is "):
            check_targets(transform)
