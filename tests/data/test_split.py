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


@given(st.integers(2, 300), st.integers(1, 299), st.integers(0, 2**32 - 1), st.booleans())
def test_counts_are_train_test_split(count: int, test_count: int, seed: int, stratify: bool) -> None:
    labels = np.arange(count, dtype=np.int32) % 3
    try:
        train, test = model_selection.train_test_split(
            np.arange(count), test_size=test_count, random_state=seed, stratify=labels if stratify else None
        )
    except ValueError:
        with pytest.raises(InputError):
            split(labels, test_count=test_count, seed=seed, stratify=stratify)
        return
    parts = split(labels, test_count=test_count, seed=seed, stratify=stratify)
    np.testing.assert_array_equal(parts.train, train)
    np.testing.assert_array_equal(parts.test, test)


@given(
    st.lists(st.integers(-3, 20), min_size=1, max_size=200),
    st.floats(0.01, 0.9) | st.integers(1, 10),
    st.integers(0, 2**32 - 1),
)
def test_groups_are_group_shuffle_split(groups: list[int], size: float | int, seed: int) -> None:
    array = np.array(groups, np.int64)
    share = {"test_fraction": size} if isinstance(size, float) else {"test_count": size}
    shuffle = model_selection.GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    try:
        train, test = next(shuffle.split(array, groups=array))
    except ValueError:
        with pytest.raises(InputError):
            split(len(array), seed=seed, groups=array, **share)
        return
    parts = split(len(array), seed=seed, groups=array, **share)
    np.testing.assert_array_equal(parts.train, train)
    np.testing.assert_array_equal(parts.test, test)


@given(
    st.lists(st.integers(0, 30), min_size=12, max_size=300),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
    st.integers(0, 1000),
)
def test_no_group_is_torn(groups: list[int], validation: float, test: float, seed: int) -> None:
    array = np.array(groups, np.int64)
    try:
        parts = split(len(array), validation_fraction=validation, test_fraction=test, seed=seed, groups=array)
    except InputError:
        number = len(set(groups))
        assert np.ceil(validation * number) + np.ceil(test * number) >= number
        return
    rows = [parts.train, parts.validation, parts.test]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(array)))
    sets = [set(array[part].tolist()) for part in rows]
    number = len(set(groups))
    assert len(set.union(*sets)) == number == sum(map(len, sets))
    assert [len(sets[1]), len(sets[2])] == [np.ceil(validation * number), np.ceil(test * number)]


@pytest.mark.parametrize("shares", [{"fraction": 0.25}, {"count": 25}])
def test_stratified_parts_have_the_shares_of_the_whole(shares: dict[str, float]) -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10]).astype(np.int32)
    (how, size) = next(iter(shares.items()))
    parts = split(labels, **{f"test_{how}": size, f"validation_{how}": size}, seed=3, stratify=True)
    for rows in (parts.train, parts.validation, parts.test):
        counts = np.bincount(labels[rows]) / len(rows)
        np.testing.assert_allclose(counts, [0.6, 0.3, 0.1], atol=1 / 25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_count": 10}, "split: takes 10 test and 0 validation samples of 10: none is left"),
        ({"test_count": 4, "validation_count": 50}, "split: takes 4 test and 50 validation samples of 10"),
        ({"test_count": -1}, "split.test_count: is -1, expected at least 0"),
        ({"test_count": 1, "test_fraction": 0.1}, "split.test_count: and test_fraction exclude each other"),
        (
            {"test_count": 1, "validation_count": 1, "groups": np.arange(10) % 2},
            "split: takes 1 test and 1 validation groups of 2: none is left for training",
        ),
        ({"test_count": 1, "groups": np.zeros(10, int), "stratify": True}, "split.stratify: keeps shares"),
    ],
)
def test_counts_and_groups_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        split(np.arange(10, dtype=np.int32) % 2, **options)
    assert str(caught.value).startswith(message)
