"""The native passes against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.data._gather import column_statistics, gather_rows, scale_columns

random = np.random.RandomState(3)
PAIRS = [
    ("uint8", "uint8"),
    ("int32", "int32"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("uint8", "float32"),
    ("uint8", "float64"),
    ("float32", "float64"),
    ("float64", "float32"),
]


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (random.random_sample(shape) * 200 + 1).astype(dtype)


@pytest.mark.parametrize(("source_type", "out_type"), PAIRS)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(40, 3), (5000, 7, 11), (300,), (2, 70_000)])
def test_gather_is_indexing(source_type: str, out_type: str, threads: int, shape: tuple[int, ...]) -> None:
    source = values(shape, source_type)
    indices = random.randint(0, shape[0], 2 * shape[0] + 1)
    out = np.full((len(indices), *shape[1:]), 255, out_type)
    gather_rows(source, indices, out, threads)
    np.testing.assert_array_equal(out, source[indices].astype(out_type))


@pytest.mark.parametrize("bad", [-1, 10, 2**62, -(2**62)])
@pytest.mark.parametrize("position", [0, 4])
def test_an_index_outside_is_refused_before_anything_is_copied(bad: int, position: int) -> None:
    source, out = values((10, 4), "float32"), np.zeros((5, 4), np.float32)
    indices = np.arange(5)
    indices[position] = bad
    with pytest.raises(IndexError, match=rf"indices\[{position}\] is {bad}, outside the 10 samples"):
        gather_rows(source, indices, out)
    assert not out.any()


@pytest.mark.parametrize(
    ("source", "indices", "out", "message"),
    [
        (np.zeros((4, 3)), np.zeros(2, np.int64), np.zeros((2, 4)), "out has shape"),
        (np.zeros((4, 3)), np.zeros(2, np.int64), np.zeros((3, 3)), "out has shape"),
        (np.zeros((4, 3)), np.zeros(2, np.int64), np.zeros((2, 3, 1)), "out has shape"),
        (np.zeros((4, 3)), np.zeros(2, np.int32), np.zeros((2, 3)), "int64"),
        (np.zeros((4, 3)), np.zeros((2, 1), np.int64), np.zeros((2, 3)), "int64"),
        (np.zeros((4, 6))[:, ::2], np.zeros(2, np.int64), np.zeros((2, 3)), "source must be a C-contiguous"),
        (np.zeros((4, 3)), np.zeros(4, np.int64)[::2], np.zeros((2, 3)), "indices must be a C-contiguous"),
        (np.zeros((4, 3)), np.zeros(2, np.int64), np.zeros((2, 6))[:, ::2], "out must be a C-contiguous"),
        (np.zeros((4, 3), ">f8"), np.zeros(2, np.int64), np.zeros((2, 3)), "source must be a C-contiguous"),
        (
            np.zeros((4, 3)),
            np.zeros(2, np.int64),
            np.zeros((2, 3), np.uint8),
            "cannot gather float64 into uint8",
        ),
        (
            np.zeros((4, 3), np.int32),
            np.zeros(2, np.int64),
            np.zeros((2, 3)),
            "cannot gather int32 into float64",
        ),
        (np.zeros((4, 3), object), np.zeros(2, np.int64), np.zeros((2, 3), object), "plain numbers"),
        (np.zeros(()), np.zeros(2, np.int64), np.zeros(2), "out has shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    source: np.ndarray, indices: np.ndarray, out: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        gather_rows(source, indices, out)


def test_read_only_output_is_refused() -> None:
    out = np.zeros((1, 1))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        gather_rows(np.zeros((1, 1)), np.zeros(1, np.int64), out)


def test_nothing_to_gather() -> None:
    gather_rows(np.zeros((4, 3)), np.zeros(0, np.int64), np.zeros((0, 3)), 2)
    gather_rows(np.zeros((4, 0)), np.zeros(2, np.int64), np.zeros((2, 0)), 2)


@pytest.mark.parametrize("source_type", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("out_type", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("shape", [(3, 4), (2001, 8, 9)])
def test_scale_columns(source_type: str, out_type: str, threads: int, shape: tuple[int, ...]) -> None:
    source = values(shape, source_type)
    mean, inverse = random.standard_normal(shape[1:]), random.random_sample(shape[1:]) + 0.5
    out = np.empty(shape, out_type)
    scale_columns(source, mean, inverse, out, threads)
    expected = ((source.astype(np.float64) - mean) * inverse).astype(out_type)
    # One unit in the last place of float64 is left to a fused multiply-add.
    np.testing.assert_allclose(out, expected, rtol=2e-7 if out_type == "float32" else 1e-14, atol=1e-13)


@pytest.mark.parametrize("source_type", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (17, 63), (9, 64), (3000, 13, 10)])
def test_column_statistics(source_type: str, shape: tuple[int, ...]) -> None:
    source = values(shape, source_type)
    mean, variance = np.full(shape[1:], np.nan), np.full(shape[1:], np.nan)
    column_statistics(source, mean, variance, 1)
    np.testing.assert_allclose(mean, source.mean(0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(variance, source.astype(np.float64).var(0), rtol=1e-12, atol=1e-20)
    for threads in (2, 4):
        other_mean, other_variance = np.empty(shape[1:]), np.empty(shape[1:])
        column_statistics(source, other_mean, other_variance, threads)
        assert other_mean.tobytes() == mean.tobytes()
        assert other_variance.tobytes() == variance.tobytes()


def test_statistics_and_scale_refuse_what_does_not_fit() -> None:
    source, row = np.zeros((4, 3)), np.zeros(3)
    with pytest.raises(ValueError, match="mean must hold 3"):
        column_statistics(source, np.zeros(2), row)
    with pytest.raises(ValueError, match="no rows"):
        column_statistics(source[:0], row, row.copy())
    with pytest.raises(ValueError, match="int64"):
        column_statistics(source.astype(np.int64), row, row.copy())
    with pytest.raises(ValueError, match="inverse_deviation must hold 3"):
        scale_columns(source, row, row.astype(np.float32), np.empty((4, 3)))
    with pytest.raises(ValueError, match="out has shape"):
        scale_columns(source, row, row, np.empty((4, 2)))
