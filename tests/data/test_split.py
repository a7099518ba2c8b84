"""Splits against scikit-learn, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.data import split
from ravine.errors import InputError

model_selection = pytest.importorskip("sklearn.model_selection")


@given(st.integers(2, 500), st.floats(0.001, 0.95), st.integers(0, 2**32 - 1))
def test_one_fraction_is_train_test_split(count: int, fraction: float, seed: int) -> None:
    rows = np.arange(count)
    try:
        train, test = model_selection.train_test_split(rows, test_size=fraction, random_state=seed)
    except ValueError:
        with pytest.raises(InputError):
            split(count, test_fraction=fraction, seed=seed)
        return
    for parts, drawn in (
        (split(count, test_fraction=fraction, seed=seed), "test"),
        (split(count, validation_fraction=fraction, seed=seed), "validation"),
    ):
        np.testing.assert_array_equal(parts.train, train)
        np.testing.assert_array_equal(getattr(parts, drawn), test)
        assert len(parts.train) + len(parts.validation) + len(parts.test) == count


@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=300), st.floats(0.01, 0.95), st.integers(0, 2**32 - 1)
)
def test_stratified_is_train_test_split(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array(labels, np.int32)
    try:
        train, test = model_selection.train_test_split(
            np.arange(len(array)), test_size=fraction, random_state=seed, stratify=array
        )
    except ValueError:
        with pytest.raises(InputError):
            split(array, test_fraction=fraction, seed=seed, stratify=True)
        return
    parts = split(array, test_fraction=fraction, seed=seed, stratify=True)
    np.testing.assert_array_equal(parts.train, train)
    np.testing.assert_array_equal(parts.test, test)


@pytest.mark.parametrize("stratify", [False, True])
def test_validation_is_drawn_from_what_the_test_leaves(stratify: bool) -> None:
    labels = np.arange(1000) % 7
    parts = split(labels, test_fraction=0.15, validation_fraction=0.1, seed=37, stratify=stratify)
    rest, test = model_selection.train_test_split(
        np.arange(1000), test_size=0.15, random_state=37, stratify=labels if stratify else None
    )
    train, validation = model_selection.train_test_split(
        rest, test_size=100, random_state=37, stratify=labels[rest] if stratify else None
    )
    np.testing.assert_array_equal(parts.test, test)
    np.testing.assert_array_equal(parts.validation, validation)
    np.testing.assert_array_equal(parts.train, train)


def test_no_fractions_keep_all_rows_in_order() -> None:
    parts = split(5)
    assert parts.train.tolist() == [0, 1, 2, 3, 4]
    assert len(parts.validation) == len(parts.test) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 1.0}, "split.test_fraction: is 1.0"),
        ({"validation_fraction": -0.1}, "split.validation_fraction: is -0.1"),
        ({"test_fraction": float("nan")}, "split.test_fraction: is nan"),
        ({"test_fraction": 0.5, "validation_fraction": 0.5}, "none is left for training"),
        ({"seed": -1}, "split.seed: is -1"),
        ({"test_fraction": 0.5, "stratify": True}, "needs class labels"),
    ],
)
def test_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(10, **options)  # type: ignore[arg-type]
