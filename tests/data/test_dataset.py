"""Data sets: what is accepted, and what messages name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine.data import Dataset, as_dataset, as_inputs
from ravine.errors import InputError


def test_integer_targets_are_classes() -> None:
    data = as_dataset(np.zeros((3, 2), np.float32), np.array([2, 0, 1]))
    assert (data.task, data.classes, data.outputs) == ("classification", 3, 3)
    assert data.targets.dtype == np.int32
    assert data.targets.tolist() == [2, 0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_targets_are_columns(dtype: type) -> None:
    data = as_dataset(np.zeros((3, 2)), np.array([0.5, 1, 2], dtype))
    assert (data.task, data.targets.shape, data.outputs) == ("regression", (3, 1), 1)
    assert data.targets.dtype == dtype


def test_task_overrides_the_type() -> None:
    assert as_dataset(np.zeros((2, 1)), [1, 0], task="regression").targets.tolist() == [[1.0], [0.0]]
    assert as_dataset(np.zeros((2, 1)), [1.0, 0.0], task="classification").targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("bool", "uint8"),
        ("uint8", "uint8"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("float16", "float32"),
        ("int32", "float64"),
        ("int64", "float64"),
        (">f4", "float32"),
        (">f8", "float64"),
    ],
)
def test_input_types_keep_every_value(given: str, expected: str) -> None:
    array = np.array([[0, 1], [1, 1]], given)
    converted = as_inputs(array)
    assert converted.dtype == expected
    assert converted.dtype.isnative
    np.testing.assert_array_equal(converted, array)


def test_shapes() -> None:
    assert as_inputs(np.zeros((5, 28, 28), np.uint8)).shape == (5, 28, 28, 1)
    assert as_inputs(np.zeros((5, 8, 8, 3), np.uint8)).shape == (5, 8, 8, 3)
    assert as_inputs(np.zeros(5)).shape == (5, 1)
    assert as_inputs(np.asfortranarray(np.zeros((5, 4)))).flags.c_contiguous


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 700_123])
def test_a_value_that_is_not_finite_is_named_by_row(bad: float, row: int) -> None:
    inputs = np.zeros((700_124, 3), np.float32)
    inputs[row, 2] = bad
    with pytest.raises(InputError, match=r"inputs\[2\] is (NaN|-?inf)") as caught:
        as_dataset(inputs, np.zeros(len(inputs), np.int32))
    assert caught.value.row == row


@pytest.mark.parametrize("bad", [-1, 10, 2**40])
def test_a_label_out_of_range_is_named_by_row_value_and_range(bad: int) -> None:
    labels = np.zeros(6, np.int64)
    labels[4] = bad
    with pytest.raises(InputError, match=rf"label {bad} is outside 0\.\.") as caught:
        as_dataset(np.zeros((6, 1)), labels, classes=10)
    assert caught.value.row == 4


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), "3 inputs and 2 targets"),
        (np.zeros((0, 2)), np.zeros(0, int), r"targets have shape \[0\]"),
        (np.zeros((2, 0)), np.zeros(2, int), "holds no values"),
        (np.array([["a"]]), [0], "inputs must be integers or floats"),
        (np.zeros((1, 1), complex), [0], "inputs must be integers or floats"),
        (np.array([[object()]]), [0], "inputs must be integers or floats"),
        (np.zeros((1, 1)), ["cat"], "targets must be integers or floats"),
        (np.zeros((2, 1)), [[1, 0], [0, 1]], "one class number a sample"),
        (np.zeros((2, 1)), [0.0, np.nan], r"row 1: targets\[0\] is NaN"),
        (3.0, [0], "not a single number"),
    ],
)
def test_refused(inputs: object, targets: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_dataset(inputs, targets)  # type: ignore[arg-type]


def test_labels_that_are_not_whole_numbers() -> None:
    with pytest.raises(InputError, match=r"row 1: label 0\.5 is not a whole number"):
        as_dataset(np.zeros((2, 1)), [0.0, 0.5], task="classification")


def test_class_names_must_fit() -> None:
    with pytest.raises(InputError, match="2 class names for 3 classes"):
        Dataset(np.zeros((1, 1)), np.zeros(1, np.int32), classes=3, class_names=("a", "b"))


def test_require_classes() -> None:
    data = as_dataset(np.zeros((3, 1)), [0, 1, 2])
    data.require_classes(3)
    with pytest.raises(InputError, match=r"row 2: label 2 is outside 0\.\.1 \(2 classes\)"):
        data.require_classes(2)


def test_take_keeps_samples_with_their_targets() -> None:
    data = as_dataset(np.arange(10.0)[:, np.newaxis], np.arange(10) % 3)
    part = data.take(np.array([7, 2]))
    assert part.inputs.tolist() == [[7.0], [2.0]]
    assert part.targets.tolist() == [1, 2]
    assert part.classes == 3


def test_content_hash_sees_every_change() -> None:
    inputs, targets = np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(6, dtype=np.int32)
    hashes = {Dataset(inputs, targets, 6).content_hash()}
    assert hashes == {Dataset(inputs.copy(), targets.copy(), 6).content_hash()}
    changed = inputs.copy()
    changed[5, 1] = np.nextafter(changed[5, 1], np.float32(np.inf))
    swapped = targets[::-1].copy()
    for other in (
        Dataset(changed, targets, 6),
        Dataset(inputs, swapped, 6),
        Dataset(inputs.astype(np.float64), targets, 6),
        Dataset(inputs.reshape(6, 2, 1), targets, 6),
    ):
        hashes.add(other.content_hash())
    assert len(hashes) == 5


def test_weights_of_samples() -> None:
    x, y = np.arange(12.0).reshape(6, 2), [0, 1, 2, 0, 1, 2]
    weighted = as_dataset(x, y, [1, 0, 2, 3, 0, 5])
    assert weighted.weights is not None
    assert weighted.weights.dtype == np.float64
    part = weighted.take(np.array([5, 0]))
    assert part.weights is not None
    assert part.weights.tolist() == [5.0, 1.0]
    hashes = {as_dataset(x, y, weights).content_hash() for weights in (None, np.ones(6), [1, 0, 2, 3, 0, 5])}
    assert len(hashes) == 3
    column = as_dataset(x, y, np.ones((6, 1), np.float32))
    assert column.weights is not None
    assert (column.weights.shape, column.weights.dtype) == ((6,), np.float32)
    assert as_dataset(x, y).take(np.array([1])).weights is None


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0, 2.0], "there are 2 sample weights for 3 samples"),
        ([1.0, -1e-9, 2.0], "row 1: the sample weight is -1e-09"),
        ([1.0, 1.0, np.inf], "row 2: the sample weight is inf"),
        ([[1.0, 2.0]] * 3, r"must be .*\[3, 2\]"),
        (["a", "b", "c"], "must be numbers"),
    ],
)
def test_weights_that_cannot_be_used(weights: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_dataset(np.zeros((3, 1)), [0, 1, 0], weights)
